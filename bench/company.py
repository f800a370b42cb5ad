"""A company of four sites as landed slices of page views, made from numbers alone by DuckDB.

What counts for a build is here in the shares real sites have: a visitor day holds three page views
on average, one in nine of them spans a pause or brings a second campaign; a third of the visits
come from outside, some tagged; pages and visitors are used unevenly. Landing is measured elsewhere,
so the slices are written as landing leaves them.
"""

# ruff: noqa: S608, E501  # SQL, made of constants and numbers
from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb

from bench.worker import PROJECT
from kpi_pipeline.feeds.contracts import FEEDS, SQL_TYPES
from kpi_pipeline.landing.store import PARQUET
from kpi_pipeline.runlog import RunLog, SliceAudit
from kpi_pipeline.settings import Settings, from_environment
from kpi_pipeline.slices import Slice, TableFile, content_hash, folder_of, write_slice
from kpi_pipeline.workspace.schema import TEAMS

PRODUCTS = ("harbour", "orchard", "quarry", "meadow")  # the first two share an identity space
PAGES = 5_000
CAMPAIGNS = 40
VIEWS_A_DAY = 3.05  # of a visitor on a day of theirs, as the shares below have it
STARTED = date(2022, 1, 1)
AT = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRONMENT_KEY = "a key for measurements, long enough to be one"


@dataclass(frozen=True)
class Traffic:
    """How much a company has: page views a day, and visitors there are."""

    page_views: int
    visitors: int


def settings_of(home: Path, memory: str) -> Settings:
    """Settings of the company under `home`."""
    return from_environment(environment_of(home, memory))


def environment_of(home: Path, memory: str) -> dict[str, str]:
    """The environment a process needs to work on the company under `home`."""
    return {
        "KPI_WORKSPACE": str(home / "workspace"),
        "KPI_HOME": str(home / "out"),
        "KPI_PROJECT": str(PROJECT),
        "KPI_HASH_KEY": ENVIRONMENT_KEY,
        "KPI_MEMORY": memory,
    }


def write_days(
    settings: Settings, days: Sequence[date], traffic: Traffic, edition: int = 0
) -> None:
    """Slices of these days, audited as far as the run log says; other rows in each edition."""
    log = RunLog(settings)
    run_id = log.start_run("bench", {}, AT)
    pieces: list[Slice] = []
    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = true")
        for day in days:
            _make_day(connection, day.toordinal() + edition * 10_000_000, day, traffic)
            pieces += [
                _write(connection, settings.landing, product, day, edition) for product in PRODUCTS
            ]
    log.record_slices(pieces, run_id, AT)
    log.record_audits([SliceAudit(piece, 1, 0, 0) for piece in pieces], run_id, AT)


def _make_day(
    connection: duckdb.DuckDBPyConnection, number: int, day: date, traffic: Traffic
) -> None:
    visitor_days = int(traffic.page_views / VIEWS_A_DAY)
    connection.execute(
        f"""create or replace temp table visitor_days as
        select visitor, visitor % 4 as product, hash(visitor, {number}) as seed,
            1 + floor(-2.55 * ln(1 - (hash(visitor, {number}, 1) % 1000000) / 1000000.0))::integer
                as views,
            (hash(visitor, {number}, 2) % 80000)::integer as begins,
            hash(visitor, {number}, 3) % 12 = 0 as pauses,
            hash(visitor, {number}, 4) % 100 as came_by
        from (
            -- the square of a random share: some come often, most seldom
            select distinct floor({traffic.visitors} * power(
                (hash(i, {number}, 5) % 1000000000) / 1000000000.0, 1.6))::bigint as visitor
            from range({int(visitor_days * 1.12)}) as t(i))"""
    )
    connection.execute(
        f"""create or replace temp table day_views as
        select product, visitor, seed, view_no, came_by,
            timestamp '{day}' + to_seconds(begins % (86399 - view_no * 300 - 4200)
                + view_no * (5 + (hash(seed, 7) % 295)::integer)
                + case when pauses and view_no >= 2 then 4200 else 0 end) as occurred_at,
            floor({PAGES} * power((hash(seed, view_no, 8) % 1000000) / 1000000.0, 3))::integer
                as page
        from (select *, unnest(range(views)) as view_no from visitor_days)
        where view_no * 300 + 4200 < 86000"""
    )


def _write(
    connection: duckdb.DuckDBPyConnection, landing: Path, product: str, day: date, edition: int
) -> Slice:
    number = PRODUCTS.index(product)
    table = FEEDS["page_views"].tables[0]
    tagged = "view_no = 0 and came_by < 22 or view_no = 3 and came_by % 30 = 0"
    outside = "view_no = 0 and came_by between 22 and 59"
    values = {
        "event_id": f"md5(concat(seed, '.', view_no, '.', {number}))",
        "occurred_at": "occurred_at",
        "visitor_id": f"md5(concat('v', visitor, '.', {number // 2}))",
        "url": f"""'https://{product}.example/' || (['guides', 'shop', 'news', 'help'])[1 + page % 4]
            || '/' || page || case when {tagged} then '?utm_source=s' || (came_by % 9)
            || '&utm_medium=' || (['email', 'cpc', 'social', 'display'])[1 + (seed % 4)::bigint]
            || '&utm_campaign=c' || (seed % {CAMPAIGNS}) else '' end""",
        "referrer": f"""case when {outside} then (['https://www.google.com/',
            'https://www.baidu.com/s', 'https://www.facebook.com/', 'https://weibo.com/',
            'https://blog.example/post/'])[1 + (came_by % 5)::bigint]
            || case when came_by % 5 = 4 then (seed % 300)::varchar else '' end
            when view_no > 0 then 'https://{product}.example/from/' || (hash(seed, view_no) % 2000)
            end""",
        "content_id": "null",
        "country": "(['ES', 'US', 'JP', 'DE'])[1 + (seed % 4)::bigint]",
        "device": "(['desktop', 'mobile', 'mobile', 'tablet'])[1 + (visitor % 4)::bigint]",
        "is_bot": "seed % 100 = 0",
        "product_id": f"'{product}'",
        "local_date": f"date '{day}'",
    }
    names = [(column.name, SQL_TYPES[column.type]) for column in table.columns]
    names += [("product_id", "VARCHAR"), ("local_date", "DATE")]
    columns = ", ".join(f"({values.get(n, 'null')})::{kind} as {n}" for n, kind in names)
    digest = hashlib.sha256(f"{product} {day} {edition}".encode()).hexdigest()[:32]
    folder = folder_of(landing, "page_views", product, day)
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{table.name}-{digest[:16]}.parquet"
    connection.execute(
        f"copy (select {columns} from day_views where product = {number} "
        f"order by occurred_at, visitor, view_no) to '{folder / file}' ({PARQUET})"
    )
    counted = connection.execute(
        f"select count(*), min(occurred_at), max(occurred_at) from day_views "
        f"where product = {number}"
    ).fetchone()
    assert counted is not None
    count, first, last = counted
    piece = Slice(
        feed="page_views",
        product_id=product,
        day=day,
        status="landed",
        hash=content_hash("landed", {table.name: digest}, None),
        arrived_at=datetime.combine(day + timedelta(days=1), time(1), UTC),
        tables={table.name: TableFile(file, count)},
        read=count,
        landed=count,
        first_at=first.replace(tzinfo=UTC),
        last_at=last.replace(tzinfo=UTC),
    )
    write_slice(folder, piece)
    return piece


def write_workspace(home: Path) -> None:
    """The company's workspace: stages, five teams, ten people, what each owns, channel rules."""
    examples = PROJECT / "examples" / "harbour_group" / "organisation"
    owned = [
        ("p0", "product", PRODUCTS[0], ""),
        ("p1", "product", PRODUCTS[1], ""),
        ("p2", "product", PRODUCTS[2], ""),
        ("p3", "product", PRODUCTS[3], ""),
        ("p4", "channel", "email", ""),
        ("p5", "channel", "social", ""),
        ("p6", "channel", "organic_search", PRODUCTS[0]),
        ("p7", "campaign", "c7", ""),
        ("p8", "page_prefix", "/guides", PRODUCTS[0]),
        ("p8", "page_prefix", "/news", PRODUCTS[1]),
        ("p9", "channel", "paid_search", ""),
        ("p9", "page_prefix", "/help", PRODUCTS[2]),
    ]
    tables = {
        "company": "name,currency,time_zone,week_start,fiscal_year_start_month\n"
        "Bench,EUR,UTC,monday,1\n",
        "products": "product_id,name,time_zone,currency,started_on,identity_space,traffic_source\n"
        + "".join(
            f"{product},{product.title()},UTC,EUR,{STARTED},space{number // 2},own\n"
            for number, product in enumerate(PRODUCTS)
        ),
        "product_stages": "product_id,stage,valid_from,valid_to\n"
        + "".join(f"{product},brand,{STARTED},\n" for product in PRODUCTS),
        "teams": "team,name\n" + "".join(f"{team},{team}\n" for team in TEAMS),
        "people": "person_id,name,rank,team,manager,email,locale,time_zone,valid_from,valid_to\n"
        + "".join(
            f"p{n},P{n},specialist,{TEAMS[n % len(TEAMS)]},,p{n}@example.org,en,UTC,{STARTED},\n"
            for n in range(10)
        ),
        "ownership": "person_id,what,which,product_id,valid_from,valid_to\n"
        + "".join(f"{who},{what},{which},{on},{STARTED},\n" for who, what, which, on in owned),
        "targets": "kpi_id,scope_kind,scope_id,product_id,grain,period_start,value\n",
    }
    folder = home / "workspace" / "organisation"
    folder.mkdir(parents=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    for name in ("channels", "channel_rules", "activity_kinds"):
        (folder / f"{name}.csv").write_bytes((examples / f"{name}.csv").read_bytes())
    sources = "".join(
        f"  - {{feed: page_views, product: {product}, format: csv, "
        f"files: '{product}/{{day}}.csv', arrival: file_per_day}}\n"
        for product in PRODUCTS
    )
    root = folder.parent
    (root / "sources.yml").write_text(
        f"give_up_at: {{page_views: '03:00'}}\nsources:\n{sources}", encoding="utf-8"
    )
    (root / "reports.yml").write_text("mail_from: 2030-01-01\nreports: {}\n", encoding="utf-8")
