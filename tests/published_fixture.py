"""A published file written by hand: the contract's tables, and a small company in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

KPI = (
    "kpi_id VARCHAR, family VARCHAR, model VARCHAR, label_en VARCHAR, label_es VARCHAR, "
    "label_zh VARCHAR, description VARCHAR, unit VARCHAR, direction VARCHAR, numerator VARCHAR, "
    "denominator VARCHAR, feeds VARCHAR[], scopes VARCHAR[], altitudes VARCHAR[], "
    'brand_role VARCHAR, growth_role VARCHAR, "window" VARCHAR, smallest_base DOUBLE, '
    "tolerance DOUBLE, owner VARCHAR, is_additive BOOLEAN, sort INTEGER"
)
REPORT = (
    "person_id VARCHAR, period_start DATE, period_end DATE, as_of_date DATE, position INTEGER, "
    "section VARCHAR, product_id VARCHAR, scope_kind VARCHAR, scope_id VARCHAR, "
    "scope_label VARCHAR, product_label VARCHAR, stage VARCHAR, kpi_id VARCHAR, role VARCHAR, "
    "value DOUBLE, is_complete BOOLEAN, incomplete_because VARCHAR, scope_changed BOOLEAN, "
    "currency VARCHAR, previous_value DOUBLE, previous_change DOUBLE, "
    "previous_change_share DOUBLE, last_year_value DOUBLE, last_year_change DOUBLE, "
    "last_year_change_share DOUBLE, target DOUBLE, attainment DOUBLE, tone VARCHAR, reason VARCHAR"
)
TABLES = {
    "dim_kpis": KPI,
    "dim_products": "product_id VARCHAR, name VARCHAR, time_zone VARCHAR, currency VARCHAR, "
    "started_on DATE, identity_space VARCHAR, traffic_source VARCHAR",
    "dim_people": "person_id VARCHAR, name VARCHAR, rank VARCHAR, team VARCHAR, manager VARCHAR, "
    "locale VARCHAR, time_zone VARCHAR, valid_from DATE, valid_to DATE",
    "dim_teams": "team VARCHAR, name VARCHAR",
    "dim_channels": "channel VARCHAR, name VARCHAR",
    "dim_company": "name VARCHAR, currency VARCHAR, time_zone VARCHAR, week_start VARCHAR, "
    "fiscal_year_start_month INTEGER",
    "dim_ownership": "person_id VARCHAR, what VARCHAR, which VARCHAR, product_id VARCHAR, "
    "valid_from DATE, valid_to DATE",
    "rpt_specialist_daily": REPORT,
    "rpt_manager_weekly": REPORT,
    "rpt_director_monthly": REPORT,
    "rpt_director_quarterly": REPORT,
    "rpt_reader_feeds": "report VARCHAR, person_id VARCHAR, period_start DATE, period_end DATE, "
    "as_of_date DATE, product_id VARCHAR, feed VARCHAR, days_expected INTEGER, "
    "days_landed INTEGER, days_absent INTEGER, days_rejected INTEGER, checks_passed BIGINT, "
    "checks_warned BIGINT, data_through DATE, data_until TIMESTAMP",
    "rpt_findings": "report VARCHAR, person_id VARCHAR, period_start DATE, kind VARCHAR, "
    "product_id VARCHAR, product_label VARCHAR, channel VARCHAR, channel_label VARCHAR, "
    "most_channel_label VARCHAR, measure VARCHAR, days_judged INTEGER, days_beyond INTEGER, "
    "amount BIGINT, base BIGINT, share DOUBLE",
    "rpt_stages": "person_id VARCHAR, report VARCHAR, period_start DATE, product_id VARCHAR, "
    "product_label VARCHAR, stage VARCHAR, since DATE, previous_stage VARCHAR, changed_on DATE",
    "published_run": 'run_id VARCHAR, "at" TIMESTAMP, code_version VARCHAR, slices_hash VARCHAR, '
    "checks_passed INTEGER, checks_warned INTEGER",
}
KPIS = [
    # id, English, Spanish, unit, direction, feeds
    ("visits", "Visits", "Visitas", "count", "up", ["page_views"]),
    ("page_views", "Page views", "Páginas vistas", "count", "up", ["page_views"]),
    ("unique_visitors", "Unique visitors", "Visitantes únicos", "count", "up", ["page_views"]),
    ("bounce_rate", "Bounce rate", "Tasa de rebote", "share", "down", ["page_views"]),
    ("impressions", "Impressions", "Impresiones", "count", "up", ["exposure"]),
    ("clicks", "Clicks", "Clics", "count", "up", ["exposure"]),
    ("ctr", "CTR", "CTR", "share", "up", ["exposure"]),
    ("cost", "Cost", "Coste", "money", "neither", ["exposure"]),
    ("sign_ups", "Sign-ups", "Altas", "count", "up", ["user_growth"]),
    ("active_users", "Active users", "Usuarios activos", "count", "up", ["user_growth"]),
    ("stickiness", "Stickiness", "Adherencia", "share", "up", ["user_growth"]),
    ("quick_ratio", "Quick ratio", "Ratio rápida", "ratio", "up", ["user_growth"]),
    (
        "average_visit_duration_seconds",
        "Average visit duration",
        "Duración media de la visita",
        "seconds",
        "up",
        ["page_views"],
    ),
]
PRODUCTS = {
    "harbor": ("Harbor", "Europe/Berlin", "EUR"),
    "aurora": ("Aurora", "America/New_York", "USD"),
    "meadow": ("Meadow", "Europe/Berlin", "EUR"),
}


@dataclass
class Published:
    """Rows by table; `write` makes the file. Rows not said are NULL, or the default."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {t: [] for t in TABLES})

    def add(self, table: str, **values: Any) -> None:
        self.rows[table].append(values)

    def figure(self, report: str, person_id: str, start: date, end: date, **values: Any) -> None:
        """One report row; position follows the rows before it, comparisons are worked out."""
        table = f"rpt_{report}"
        row: dict[str, Any] = {
            "person_id": person_id,
            "period_start": start,
            "period_end": end,
            "as_of_date": end - timedelta(days=1),
            "position": len(self.rows[table]) + 1,
            "role": "headline",
            "is_complete": True,
            "scope_changed": False,
            "tone": "none",
            **values,
        }
        product = PRODUCTS.get(row.get("product_id", ""))
        row.setdefault("product_label", product[0] if product else None)
        if row.get("scope_kind") == "product":
            row.setdefault("scope_id", row["product_id"])
            row.setdefault("scope_label", row["product_label"])
        for name in ("previous", "last_year"):
            before, value = row.get(f"{name}_value"), row.get("value")
            if before is not None and value is not None:
                row.setdefault(f"{name}_change", value - before)
                if before:
                    row.setdefault(f"{name}_change_share", (value - before) / before)
        if row.get("target") and row.get("value") is not None:
            row.setdefault("attainment", row["value"] / row["target"])
        self.rows[table].append(row)

    def need(
        self,
        report: str,
        person_id: str,
        start: date,
        end: date,
        product_id: str,
        feed: str,
        *,
        absent: int = 0,
        rejected: int = 0,
        unknown: int = 0,
        until: datetime | None = None,
    ) -> None:
        days = (end - start).days
        missing = absent + rejected + unknown
        self.add(
            "rpt_reader_feeds",
            report=report,
            person_id=person_id,
            period_start=start,
            period_end=end,
            as_of_date=end - timedelta(days=1),
            product_id=product_id,
            feed=feed,
            days_expected=days,
            days_landed=days - missing,
            days_absent=absent,
            days_rejected=rejected,
            checks_passed=12 * (days - missing),
            checks_warned=0,
            data_through=end - timedelta(days=1 + missing),
            data_until=until,
        )

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as connection:
            for table, columns in TABLES.items():
                connection.execute(f"create table {table} ({columns})")
                for row in self.rows[table]:
                    _insert(connection, table, row)
        return path


def _insert(connection: duckdb.DuckDBPyConnection, table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" for _ in row)
    connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))


def company() -> Published:
    """Three products, three teams, six readers; no report rows yet."""
    published = Published()
    for sort, (kpi_id, english, spanish, unit, direction, feeds) in enumerate(KPIS):
        published.add(
            "dim_kpis",
            kpi_id=kpi_id,
            label_en=english,
            label_es=spanish,
            unit=unit,
            direction=direction,
            feeds=feeds,
            sort=sort,
        )
    for product_id, (name, zone, currency) in PRODUCTS.items():
        published.add(
            "dim_products",
            product_id=product_id,
            name=name,
            time_zone=zone,
            currency=currency,
            started_on=date(2023, 1, 1),
        )
    published.add(
        "dim_company",
        name="Tidewater",
        currency="EUR",
        time_zone="Europe/Berlin",
        week_start="monday",
        fiscal_year_start_month=1,
    )
    for team, name in (("content", "Content"), ("promotion", "Promotion"), ("user", "Users")):
        published.add("dim_teams", team=team, name=name)
    for channel, name in (("search", "Organic search"), ("email", "Email"), ("social", "Social")):
        published.add("dim_channels", channel=channel, name=name)
    for person_id, name, rank, team, locale, zone in (
        ("p-ana", "Ana Prieto", "specialist", "content", "es", "Europe/Madrid"),
        ("p-ben", "Ben Osei", "specialist", "promotion", "en", "Europe/Berlin"),
        ("p-kim", "Kim Doyle", "specialist", "user", "en", "America/New_York"),
        ("m-lea", "Lea Novak", "manager", "promotion", "en", "Europe/Berlin"),
        ("d-ida", "Ida Berg", "director", None, "en", "Europe/Berlin"),
        ("d-luz", "Luz Marín", "director", None, "es", "Europe/Madrid"),
    ):
        published.add(
            "dim_people",
            person_id=person_id,
            name=name,
            rank=rank,
            team=team,
            locale=locale,
            time_zone=zone,
            valid_from=date(2023, 1, 1),
        )
    for person_id, what, which, product_id in (
        ("p-ana", "product", "harbor", None),
        ("p-ben", "product", "harbor", None),
        ("p-ben", "channel", "email", "aurora"),
        ("p-kim", "product", "aurora", None),
    ):
        published.add(
            "dim_ownership",
            person_id=person_id,
            what=what,
            which=which,
            product_id=product_id,
            valid_from=date(2023, 1, 1),
        )
    published.add(
        "published_run",
        run_id="run-1",
        at=datetime(2024, 7, 1, 3, 0),  # noqa: DTZ001  # UTC without an offset, as dbt writes it
        code_version="0.1.0",
        slices_hash="00",
        checks_passed=212,
        checks_warned=1,
    )
    return published


def daily(published: Published, person_id: str, day: date, **need: Any) -> None:
    """A plain day of Harbor for one specialist: ahead of the number, one KPI behind."""
    report, end = "specialist_daily", day + timedelta(days=1)
    product = {"product_id": "harbor", "scope_kind": "product", "stage": "brand"}

    def figure(section: str, kpi_id: str, **values: Any) -> None:
        published.figure(
            report, person_id, day, end, section=section, kpi_id=kpi_id, **product, **values
        )

    visits = {"value": 12360.0, "previous_value": 11850.0, "last_year_value": 9980.0}
    figure("number", "visits", **visits, target=12000.0, tone="good")
    figure("products", "visits", **visits, target=12000.0, tone="good")
    figure("products", "page_views", value=40210.0, previous_value=39800.0, tone="good")
    figure("products", "bounce_rate", value=0.412, previous_value=0.398, tone="bad")
    published.need(report, person_id, day, end, "harbor", "page_views", **need)
    published.add(
        "rpt_stages",
        person_id=person_id,
        report=report,
        period_start=day,
        product_id="harbor",
        product_label="Harbor",
        stage="brand",
        since=date(2023, 1, 1),
    )


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(str(path), read_only=True)
    try:
        yield connection
    finally:
        connection.close()
