"""The mails held as golden files: one published file each, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from published_fixture import Published, company, daily

from kpi_pipeline.periods import Calendar, Grain, period_of

SUNDAY = date(2024, 6, 30)


@dataclass(frozen=True)
class Scenario:
    """What is mailed to whom about which period; `sent_on` is the day after it."""

    report: str
    person_id: str
    grain: Grain
    start: date
    build: Callable[[], Published]
    edition: int = 1
    left_out_before: tuple[str, ...] = ()
    sent_days_later: int = 0

    @property
    def sent_on(self) -> date:
        end = period_of(self.grain, self.start, Calendar()).end
        return end + timedelta(days=self.sent_days_later)


class Rows:
    """Adds rows of one report, person and period."""

    def __init__(self, published: Published, report: str, person_id: str, grain: Grain, day: date):
        period = period_of(grain, day, Calendar())
        self.published, self.report, self.person_id = published, report, person_id
        self.start, self.end = period.start, period.end

    def add(self, section: str, kpi_id: str, value: float | None, **values: Any) -> None:
        values.setdefault("product_id", "(all)")
        self.published.figure(
            self.report,
            self.person_id,
            self.start,
            self.end,
            section=section,
            kpi_id=kpi_id,
            value=value,
            **values,
        )

    def need(self, product_id: str, feed: str, **gaps: int) -> None:
        self.published.need(
            self.report, self.person_id, self.start, self.end, product_id, feed, **gaps
        )

    def finding(self, kind: str, product_id: str, amount: int, base: int, **values: Any) -> None:
        self.published.add(
            "rpt_findings",
            report=self.report,
            person_id=self.person_id,
            period_start=self.start,
            kind=kind,
            product_id=product_id,
            product_label=product_id.title(),
            amount=amount,
            base=base,
            share=amount / base if base else None,
            **{"channel": "(all)", "channel_label": "(all)", **values},
        )

    def stage(self, product_id: str, label: str, stage: str, since: date, **values: Any) -> None:
        self.published.add(
            "rpt_stages",
            person_id=self.person_id,
            report=self.report,
            period_start=self.start,
            product_id=product_id,
            product_label=label,
            stage=stage,
            since=since,
            **values,
        )


def mine(name: str, person_id: str) -> dict[str, Any]:
    return {"scope_kind": "person", "scope_id": person_id, "scope_label": name}


def product(product_id: str, stage: str) -> dict[str, Any]:
    return {"scope_kind": "product", "product_id": product_id, "stage": stage}


def channel(channel_id: str, name: str, product_id: str = "(all)") -> dict[str, Any]:
    return {
        "scope_kind": "channel",
        "scope_id": channel_id,
        "scope_label": name,
        "product_id": product_id,
    }


def specialist(person_id: str, name: str) -> Published:
    """A specialist ahead of the number, with one KPI behind and one channel."""
    published = company()
    rows = Rows(published, "specialist_daily", person_id, "day", SUNDAY)
    me, harbor = mine(name, person_id), product("harbor", "brand")
    visits = {"previous_value": 11850.0, "last_year_value": 9980.0, "tone": "good"}
    rows.add("number", "visits", 12360.0, target=12000.0, **visits, **me)
    rows.add("mine", "visits", 12360.0, target=12000.0, **visits, **me)
    rows.add("mine", "unique_visitors", 9120.0, previous_value=9010.0, tone="good", **me)
    rows.add("mine", "clicks", 812.0, previous_value=901.0, target=900.0, tone="bad", **me)
    rows.add(
        "mine", "bounce_rate", 0.412, previous_value=0.398, tone="bad", role="supporting", **me
    )
    rows.add("mine", "cost", 384.2, previous_value=391.0, currency="EUR", role="supporting", **me)
    rows.add(
        "mine",
        "average_visit_duration_seconds",
        143.6,
        previous_value=139.0,
        tone="good",
        role="supporting",
        **me,
    )
    rows.add("products", "visits", 12360.0, target=12000.0, **visits, **harbor)
    rows.add("products", "page_views", 40210.0, previous_value=39800.0, tone="good", **harbor)
    rows.add(
        "channels",
        "clicks",
        812.0,
        previous_value=901.0,
        tone="bad",
        stage="brand",
        **channel("email", "Email", "harbor"),
    )
    rows.add("attention", "clicks", 812.0, previous_value=901.0, target=900.0, tone="bad", **me)
    rows.need("harbor", "page_views")
    rows.need("harbor", "exposure")
    rows.stage("harbor", "Harbor", "brand", date(2023, 1, 1))
    return published


def manager() -> Published:
    """A week that fell, with people, products and channels."""
    published = company()
    rows = Rows(published, "manager_weekly", "m-lea", "week", SUNDAY)
    team = {"scope_kind": "team", "scope_id": "promotion", "scope_label": "Promotion"}
    visits = {"previous_value": 88210.0, "last_year_value": 70110.0, "tone": "bad"}
    rows.add("number", "visits", 81400.0, target=85000.0, **visits, **team)
    rows.add("team", "visits", 81400.0, target=85000.0, **visits, **team)
    rows.add("team", "impressions", 3104200.0, previous_value=2990000.0, tone="good", **team)
    rows.add("team", "ctr", 0.0052, previous_value=0.0061, tone="bad", **team)
    rows.add("people", "visits", 48200.0, previous_value=50100.0, tone="bad", **mine("Ben", "p-b"))
    rows.add("people", "visits", 33200.0, previous_value=38110.0, tone="bad", **mine("Zoë", "p-z"))
    rows.add(
        "products",
        "visits",
        60100.0,
        previous_value=66210.0,
        tone="bad",
        **product("harbor", "brand"),
    )
    rows.add(
        "products",
        "active_users",
        21040.0,
        previous_value=20100.0,
        tone="good",
        **product("aurora", "growth"),
    )
    for name, now, before in (("Email", 22100.0, 21990.0), ("Social", 9050.0, 15310.0)):
        rows.add(
            "channels",
            "visits",
            now,
            previous_value=before,
            tone="good" if now > before else "bad",
            **channel(name.lower(), name, "harbor"),
        )
    rows.add("attention", "visits", 81400.0, target=85000.0, **visits, **team)
    for product_id in ("aurora", "harbor"):
        rows.need(product_id, "page_views")
        rows.need(product_id, "exposure")
    rows.need("aurora", "user_growth")
    rows.stage("aurora", "Aurora", "growth", date(2023, 9, 1), previous_stage="brand")
    rows.stage("harbor", "Harbor", "brand", date(2023, 1, 1))
    return published


def director(person_id: str, report: str, grain: Grain, day: date) -> Published:
    """A target missed, and a product that changed its stage in mid-period."""
    published = company()
    rows = Rows(published, report, person_id, grain, day)
    firm = {"scope_kind": "company", "scope_id": "(all)", "scope_label": "Tidewater"}
    visits = {"previous_value": 351200.0, "last_year_value": 290140.0, "tone": "good"}
    rows.add("number", "visits", 372900.0, target=390000.0, **visits, **firm)
    rows.add("company", "visits", 372900.0, target=390000.0, **visits, **firm)
    rows.add(
        "company", "sign_ups", 8420.0, previous_value=7710.0, target=8000.0, tone="good", **firm
    )
    rows.add("company", "cost", 41230.5, previous_value=39100.0, currency="EUR", **firm)
    rows.add(
        "products",
        "active_users",
        88040.0,
        previous_value=84100.0,
        tone="good",
        **product("aurora", "growth"),
    )
    rows.add(
        "products",
        "visits",
        201400.0,
        previous_value=190020.0,
        tone="good",
        **product("harbor", "brand"),
    )
    rows.add("products", "active_users", 4120.0, **product("meadow", "growth"))
    rows.add("products", "quick_ratio", 2.4, **product("meadow", "growth"))
    rows.add(
        "products",
        "visits",
        30110.0,
        previous_value=28200.0,
        target=31000.0,
        tone="good",
        as_of_date=date(2024, 6, 13),
        **product("meadow", "brand"),
    )
    for team, now, before in (("Content", 120400.0, 118000.0), ("Promotion", 190300.0, 181000.0)):
        rows.add(
            "teams",
            "visits",
            now,
            previous_value=before,
            tone="good",
            scope_kind="team",
            scope_id=team.lower(),
            scope_label=team,
        )
    rows.add(
        "channels",
        "visits",
        122000.0,
        previous_value=122000.0,
        tone="flat",
        **channel("search", "Organic search"),
    )
    rows.add("attention", "visits", 372900.0, target=390000.0, **visits, **firm)
    for product_id in ("aurora", "harbor", "meadow"):
        rows.need(product_id, "page_views")
        rows.need(product_id, "user_growth")
    rows.stage("aurora", "Aurora", "growth", date(2023, 9, 1), previous_stage="brand")
    rows.stage("harbor", "Harbor", "brand", date(2023, 1, 1))
    rows.stage(
        "meadow",
        "Meadow",
        "growth",
        date(2024, 6, 14),
        previous_stage="brand",
        changed_on=date(2024, 6, 14),
    )
    return published


def no_data() -> Published:
    """Nothing landed: every figure is withheld and none is 0."""
    published = specialist("p-ben", "Ben Osei")
    for row in published.rows["rpt_specialist_daily"]:
        row.update(value=None, is_complete=False, incomplete_because="absent_days", tone="none")
        for name in ("previous", "last_year"):
            row[f"{name}_change"] = row[f"{name}_change_share"] = None
        row["attainment"] = None
    published.rows["rpt_specialist_daily"] = [
        r for r in published.rows["rpt_specialist_daily"] if r["section"] != "attention"
    ]
    for row in published.rows["rpt_reader_feeds"]:
        row.update(days_landed=0, days_absent=1, data_through=date(2024, 6, 29))
    return published


def no_rows() -> Published:
    """A reader whose report has needs and no rows at all."""
    published = company()
    rows = Rows(published, "specialist_daily", "p-ben", "day", SUNDAY)
    rows.need("harbor", "page_views", absent=1)
    published.rows["rpt_reader_feeds"][0]["data_through"] = None
    return published


def withheld_kpi() -> Published:
    """One feed is missing: its KPIs are withheld and named, the others stand."""
    published = specialist("p-ben", "Ben Osei")
    published.rows["rpt_specialist_daily"] = [
        r for r in published.rows["rpt_specialist_daily"] if r["section"] != "attention"
    ]
    for row in published.rows["rpt_specialist_daily"]:
        if row["kpi_id"] in ("clicks", "cost"):
            row.update(is_complete=False, incomplete_because="absent_days", tone="none")
    for row in published.rows["rpt_reader_feeds"]:
        if row["feed"] == "exposure":
            row.update(days_landed=0, days_rejected=1, data_through=date(2024, 6, 29))
    return published


def first_period() -> Published:
    """No previous day, no last year, no target."""
    published = specialist("p-ben", "Ben Osei")
    gone = ("previous", "last_year")
    for row in published.rows["rpt_specialist_daily"]:
        for name in gone:
            for suffix in ("value", "change", "change_share"):
                row[f"{name}_{suffix}"] = None
        row.update(target=None, attainment=None, tone="none", reason="no_previous_period")
    published.rows["rpt_specialist_daily"] = [
        r for r in published.rows["rpt_specialist_daily"] if r["section"] != "attention"
    ]
    return published


def zero_change() -> Published:
    """Everything as the week before, exactly on the number."""
    published = specialist("p-ben", "Ben Osei")
    kept = [r for r in published.rows["rpt_specialist_daily"] if r["section"] != "attention"]
    for row in kept:
        row.update(previous_value=row["value"], previous_change=0.0, previous_change_share=0.0)
        row.update(last_year_value=row["value"], last_year_change=0.0, last_year_change_share=0.0)
        row.update(tone="none" if row["kpi_id"] == "cost" else "flat")
        if row.get("target"):
            row.update(target=row["value"], attainment=1.0)
    published.rows["rpt_specialist_daily"] = kept
    return published


def bad_direction() -> Published:
    """Behind the number; a rising bounce rate and falling visits are both worse."""
    published = specialist("p-ben", "Ben Osei")
    for row in published.rows["rpt_specialist_daily"]:
        if row["kpi_id"] == "visits":
            row.update(
                value=9120.0,
                previous_change=-2730.0,
                previous_change_share=-0.2304,
                last_year_change=-860.0,
                last_year_change_share=-0.0862,
                attainment=0.76,
                tone="bad",
            )
    return published


def ownership_changed() -> Published:
    """The reader took something over: no comparison, and the mail says since when."""
    published = specialist("p-ben", "Ben Osei")
    for row in published.rows["rpt_specialist_daily"]:
        if row["scope_kind"] == "person":
            row.update(scope_changed=True, attainment=None, tone="none", reason="ownership_changed")
            for name in ("previous", "last_year"):
                row[f"{name}_value"] = row[f"{name}_change"] = row[f"{name}_change_share"] = None
    published.add(
        "dim_ownership",
        person_id="p-ben",
        what="campaign",
        which="summer",
        product_id="harbor",
        valid_from=date(2024, 6, 27),
    )
    published.rows["rpt_specialist_daily"] = [
        r for r in published.rows["rpt_specialist_daily"] if r["section"] != "attention"
    ]
    return published


def hostile_names() -> Published:
    """Names that try to be markup."""
    published = specialist("p-ben", "Ben Osei")
    bad = '<script>alert(1)</script> & "Co"'
    for row in published.rows["rpt_specialist_daily"]:
        row["product_label"] = bad if row.get("product_label") else None
        if row["scope_kind"] == "product":
            row["scope_label"] = bad
    for row in published.rows["rpt_stages"]:
        row["product_label"] = bad
    for row in published.rows["dim_products"]:
        row["name"] = bad
    for row in published.rows["dim_kpis"]:
        row["label_en"] = f"<b>{row['label_en']}</b>"
    return published


def one_product() -> Published:
    published = company()
    daily(published, "p-ana", SUNDAY)
    return published


def early_end() -> Published:
    """The day's page views break off; what the backend counts in the reader's channel differs."""
    published = specialist("p-ben", "Ben Osei")
    for need in published.rows["rpt_reader_feeds"]:
        if need["feed"] == "page_views":
            need["data_until"] = datetime.combine(SUNDAY, time(21, 5, 32))
    Rows(published, "specialist_daily", "p-ben", "day", SUNDAY).finding(
        "reconciliation",
        "aurora",
        94,
        11,
        channel="email",
        channel_label="Email",
        measure="visits",
        days_judged=1,
        days_beyond=1,
    )
    return published


def counts_differ(locale: str) -> Published:
    """Our own count and the backend's differ, and users were there before they signed up."""
    published = manager()
    for person in published.rows["dim_people"]:
        person["locale"] = locale
    rows = Rows(published, "manager_weekly", "m-lea", "week", SUNDAY)
    rows.finding(
        "reconciliation",
        "harbor",
        3120,
        26000,
        most_channel_label="Email",
        measure="page_views",
        days_judged=7,
        days_beyond=3,
    )
    rows.finding("reconciliation", "meadow", 410, 0, measure="visits", days_judged=7, days_beyond=2)
    rows.finding(
        "early_activity", "aurora", 1204, 8310, measure="users", days_judged=7, days_beyond=5
    )
    return published


SCENARIOS = {
    "normal": Scenario(
        "specialist_daily", "p-ben", "day", SUNDAY, lambda: specialist("p-ben", "Ben Osei")
    ),
    "no_data": Scenario("specialist_daily", "p-ben", "day", SUNDAY, no_data),
    "no_rows": Scenario("specialist_daily", "p-ben", "day", SUNDAY, no_rows),
    "first_period": Scenario("specialist_daily", "p-ben", "day", SUNDAY, first_period),
    "zero_change": Scenario("specialist_daily", "p-ben", "day", SUNDAY, zero_change),
    "bad_direction": Scenario("specialist_daily", "p-ben", "day", SUNDAY, bad_direction),
    "withheld_kpi": Scenario("specialist_daily", "p-ben", "day", SUNDAY, withheld_kpi),
    "ownership_changed": Scenario("specialist_daily", "p-ben", "day", SUNDAY, ownership_changed),
    "hostile_names": Scenario("specialist_daily", "p-ben", "day", SUNDAY, hostile_names),
    "second_edition": Scenario(
        "specialist_daily",
        "p-ben",
        "day",
        SUNDAY,
        lambda: specialist("p-ben", "Ben Osei"),
        edition=2,
        left_out_before=("harbor/exposure",),
        sent_days_later=2,
    ),
    "early_end": Scenario("specialist_daily", "p-ben", "day", SUNDAY, early_end),
    "counts_differ": Scenario(
        "manager_weekly", "m-lea", "week", date(2024, 6, 24), lambda: counts_differ("en")
    ),
    "spanish_counts_differ": Scenario(
        "manager_weekly", "m-lea", "week", date(2024, 6, 24), lambda: counts_differ("es")
    ),
    "spanish_specialist": Scenario("specialist_daily", "p-ana", "day", SUNDAY, one_product),
    "manager_week": Scenario("manager_weekly", "m-lea", "week", date(2024, 6, 24), manager),
    "stage_change_in_mid_month": Scenario(
        "director_monthly",
        "d-ida",
        "month",
        date(2024, 6, 1),
        lambda: director("d-ida", "director_monthly", "month", SUNDAY),
    ),
    "spanish_director_quarter": Scenario(
        "director_quarterly",
        "d-luz",
        "quarter",
        date(2024, 4, 1),
        lambda: director("d-luz", "director_quarterly", "quarter", SUNDAY),
    ),
}
