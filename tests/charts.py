"""Signals of made-up series, by the very SQL of the models, on DuckDB in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import jinja2

from kpi_pipeline.periods import Grain

MODELS = Path(__file__).parents[1] / "dbt_project" / "models"
MACROS = Path(__file__).parents[1] / "dbt_project" / "macros"
BUILT = (
    "marts/dim_periods",
    "intermediate/int_kpi_baselines",
    "intermediate/int_kpi_limits",
    "intermediate/int_kpi_usual_shares",
    "kpis/fct_kpi_status",
)
FORECAST = ("intermediate/int_kpi_forecasts", "marts/fct_forecasts_made")
TABLES = """
create table dim_kpis (
    kpi_id varchar, unit varchar, "window" varchar, is_additive boolean, is_cumulative boolean,
    smallest_base double, lowest double, highest double, direction varchar, brand_role varchar,
    growth_role varchar
);
create table fct_kpi_values (
    kpi_id varchar, product_id varchar, scope_kind varchar, scope_id varchar, grain varchar,
    period_start date, as_of_date date, period_end date, value double, numerator double,
    denominator double, is_complete boolean, scope_changed boolean, incomplete_because varchar
);
create table stg_organisation__annotations (
    day date, kpi_id varchar, scope_kind varchar, scope_id varchar, text varchar, rebase boolean
);
create table int_scope_changes (scope_kind varchar, scope_id varchar, changed_on date);
create table stg_organisation__targets (
    kpi_id varchar, scope_kind varchar, scope_id varchar, product_id varchar, grain varchar,
    period_start date, value double
);
create table stg_organisation__calendar (day date, name varchar, kind varchar, product_id varchar);
create table forecasts_made (
    kpi_id varchar, product_id varchar, scope_kind varchar, scope_id varchar, grain varchar,
    period_start date, as_of_date date, period_end date, value double, forecast double,
    forecast_low double, forecast_high double, target double, forecast_chance double,
    errors integer, is_backcomputed boolean
);
create table fct_forecasts_made as from forecasts_made;
"""
KPIS = """
insert into dim_kpis select *, 'up', null, null from (values
    ('visits', 'count', 'period', true, false, 0, 0, null),
    ('cost', 'money', 'period', true, false, 0, 0, null),
    ('bounce_rate', 'share', 'period', false, false, 100, 0, 1),
    ('visits_gap', 'share', 'period', false, false, 100, -1, null),
    ('seconds', 'seconds', 'period', false, false, 0, 0, null),
    ('total_users', 'count', 'period', false, true, 0, 0, null),
    ('wau', 'count', 'trailing_7', false, false, 0, 0, null)
);
insert into dim_kpis values
    ('sign_ups', 'count', 'period', true, false, 0, 0, null, 'up', 'supporting', 'headline'),
    ('complaints', 'count', 'period', true, false, 0, 0, null, 'down', 'headline', null),
    ('active_users', 'count', 'period', false, false, 0, 0, null, 'up', null, 'headline')
"""
#: As in dbt_project.yml.
VARIABLES = {"forecast_growth_most": 0.1, "forecast_growth_weeks": 4}


class Point(NamedTuple):
    """A period of one scope, named by its first day, and its value to `as_of`."""

    kpi_id: str
    scope_id: str
    grain: Grain
    start: date
    value: float | None
    is_complete: bool = True
    denominator: float | None = None
    as_of: date | None = None


class Judged(NamedTuple):
    lower: float | None
    centre: float | None
    upper: float | None
    trend: float | None
    points: int | None
    signal: str | None
    marks: str | None
    reason: str | None


def end_of(grain: Grain, start: date) -> date:
    """The first day after a period; weeks are seven days from wherever they start."""
    if grain in ("day", "week"):
        return start + timedelta(days=1 if grain == "day" else 7)
    months = start.year * 12 + start.month - 1 + (1 if grain == "month" else 3)
    return date(months // 12, months % 12 + 1, 1)


@cache
def sql_of(model: str) -> str:
    """A model without dbt: it reads tables of the same names."""
    macros = "".join(
        (MACROS / f"{name}.sql").read_text()
        for name in ("kpis/process_lines", "kpis/per_period", "kpis/key_of", "judgement/student_t")
    )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do"])
    template = environment.from_string(macros + (MODELS / f"{model}.sql").read_text())
    return template.render(
        config=lambda **_: "",
        ref=str,
        source=lambda _, table: table,
        var=VARIABLES.__getitem__,
        is_incremental=lambda: False,
    )


class Charts:
    """A connection with the tables the models read. `first` to `last` are the days there are."""

    def __init__(self, first: date, last: date) -> None:
        self.connection = duckdb.connect()
        self.connection.execute(TABLES + KPIS)
        self.connection.execute(
            "create table int_calendar_days as select day, "
            "(day - (isodow(day) - 1)::integer)::date as week_start, "
            "date_trunc('month', day)::date as month_start, "
            "date_trunc('quarter', day)::date as quarter_start "
            "from (select unnest(generate_series(?, ?, interval 1 day))::date as day)",
            [first, last],
        )
        self._build("marts/dim_periods")
        self.connection.execute(
            "create table int_periods_touched as "
            "select 'status' as layer, grain, period_start from dim_periods"
        )

    def add(self, points: Iterable[Point]) -> None:
        rows = []
        for p in points:
            end = end_of(p.grain, p.start)
            as_of = p.as_of or end - timedelta(days=1)
            because = None if p.is_complete else "absent_days" if p.as_of is None else "period_open"
            rows.append(
                (p.kpi_id, "p", "product", p.scope_id, p.grain, p.start, as_of, end, p.value,
                 None, p.denominator, p.is_complete, False, because)
            )  # fmt: skip
        if rows:
            self._insert("fct_kpi_values", rows)

    def rebase(self, day: date, kpi_id: str | None = None, scope_id: str | None = None) -> None:
        kind = "product" if scope_id else None
        self._insert(
            "stg_organisation__annotations", [(day, kpi_id, kind, scope_id, "a new start", True)]
        )

    def change(self, day: date, scope_id: str) -> None:
        self._insert("int_scope_changes", [("product", scope_id, day)])

    def aim(self, kpi_id: str, scope_id: str, grain: Grain, start: date, value: float) -> None:
        self._insert(
            "stg_organisation__targets", [(kpi_id, "product", scope_id, "p", grain, start, value)]
        )

    def build(self) -> None:
        """Make fct_kpi_status and what it rests on, whatever was built before."""
        for model in BUILT[1:]:
            self._build(model)

    def judged(self) -> dict[tuple[str, str, str, date], Judged]:
        """By KPI, scope, grain and first day: whole periods."""
        self.build()
        rows = self.connection.execute(
            "select kpi_id, scope_id, grain, period_start, lower_limit, centre, upper_limit, "
            "trend, baseline_points, signal, marks, signal_reason from fct_kpi_status "
            "where as_of_date + 1 = period_end"
        ).fetchall()
        return {row[:4]: Judged(*row[4:]) for row in rows}

    def clear(self) -> None:
        """Forget every series, note and target."""
        for table in (
            "fct_kpi_values",
            "stg_organisation__annotations",
            "int_scope_changes",
            "stg_organisation__targets",
            "stg_organisation__calendar",
            "forecasts_made",
            "fct_forecasts_made",
        ):
            self.connection.execute(f"delete from {table}")

    def holiday(self, day: date) -> None:
        self._insert("stg_organisation__calendar", [(day, "Holiday", "holiday", None)])

    def forecast(self) -> list[dict[str, Any]]:
        """Make fct_forecasts_made; its rows by column."""
        for model in FORECAST:
            self._build(model)
        cursor = self.connection.execute("select * from fct_forecasts_made order by all")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _build(self, model: str) -> None:
        name = model.rpartition("/")[2]
        self.connection.execute(f"create or replace table {name} as {sql_of(model)}")

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        columns = list(zip(*rows, strict=True))
        marks = ", ".join("unnest(?)" for _ in columns)
        self.connection.execute(f"insert into {table} select {marks}", [[*c] for c in columns])
