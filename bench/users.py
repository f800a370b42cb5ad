"""What one more day of users costs after a long history, beside after a short one.

`python -m bench.users` fills a warehouse with the states as they are after 90 and after 365 days of
a million users of whom 300,000 are active a day, hands dbt one more day, and builds the models that
are about users. What counts is the ratio of both, and of each to reading the day's rows once.
"""

# ruff: noqa: S608  # made of constants and numbers
from __future__ import annotations

import argparse
import json
import re
import tempfile
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import duckdb

from bench.worker import AT, PROJECT
from kpi_pipeline import workspace
from kpi_pipeline.cli.leaving import leave
from kpi_pipeline.landing import land_organisation
from kpi_pipeline.settings import Settings, from_environment
from kpi_pipeline.warehouse import handover
from kpi_pipeline.warehouse.changes import BuiltSlice, Changes
from kpi_pipeline.warehouse.dbt import run_dbt
from kpi_pipeline.workspace.schema import TEAMS

LAST = date(2024, 11, 15)  # within a quarter, so that 90 days reach into the one before
PRODUCT = "shop"
HISTORIES = (90, 365)
USERS = 1_000_000
SIGN_UPS_A_DAY = 2_000
ROUNDS = 4
CHANNELS = ("search", "email", "social", "referral", "(not set)")
#: Models whose time counts, as dbt selects them; what is above them is small or another family's.
MODELS = (
    "int_user_days",
    "int_users",
    "int_user_quarters",
    "int_user_profiles",
    "int_user_cells",
    "int_user_uniques",
    "int_sign_up_days",
    "int_periods_touched",
    "kpi_users",
    "kpi_retention",
    "fct_kpi_cohorts",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.users", description=__doc__)
    parser.add_argument("--users", type=int, default=USERS)
    chosen = parser.parse_args()
    taken = {}
    for days in HISTORIES:
        with tempfile.TemporaryDirectory() as home:
            taken[days] = measured(Path(home), days, chosen.users)
        print(json.dumps({"days": days, **taken[days]}), flush=True)
    short, long = (taken[days]["models"] for days in HISTORIES)
    floor = taken[HISTORIES[0]]["read_once"]
    print(
        f"One more day costs {long / short:.2f} times as much after {HISTORIES[1]} days as after "
        f"{HISTORIES[0]}, and {short / floor:.1f} times as much as reading its rows once."
    )


def measured(home: Path, days: int, users: int) -> dict[str, float]:
    """Seconds of the models together and each, the least of several builds of the same last day."""
    settings = from_environment(
        {
            "KPI_WORKSPACE": str(home / "workspace"),
            "KPI_HOME": str(home / "out"),
            "KPI_PROJECT": str(PROJECT),
            "KPI_HASH_KEY": "a key for measurements, long enough to be one",
        }
    )
    _write_workspace(settings.workspace)
    land_organisation(settings, workspace.load(settings.workspace), AT, "bench")
    first = LAST - timedelta(days=days)
    selected = ["--select", "+kpi_users", "+kpi_retention", "+fct_kpi_cohorts"]
    with duckdb.connect(str(settings.warehouse)) as connection:
        _lay_out(connection, settings, first)
    run_dbt(settings, ["run", *selected, "--full-refresh"], lambda _: None)
    with duckdb.connect(str(settings.warehouse)) as connection:
        _fill_states(connection, days, users)
        _lay_out_last_day(connection, users)
        connection.execute("checkpoint")
        began = perf_counter()
        connection.execute(
            "select count(distinct user_id), max(occurred_at) from landing.activity"
        ).fetchall()
        read_once = perf_counter() - began
    times: dict[str, float] = {}

    def say(line: str) -> None:
        found = re.search(r"\.(\w+) \S+ in ([\d.]+) s", line) or re.search(
            r"(\w+) \S+ in ([\d.]+) s", line
        )
        if found and found.group(1) in MODELS:
            name, seconds = found.group(1), float(found.group(2))
            times[name] = min(seconds, times.get(name, seconds))

    for _ in range(ROUNDS):
        run_dbt(settings, ["run", *selected], say)
    return {"models": sum(times.values()), "read_once": read_once, **times}


def _fill_states(connection: duckdb.DuckDBPyConnection, days: int, users: int) -> None:
    """The states as the days before the last one leave them."""
    first = LAST - timedelta(days=days)
    connection.execute(
        f"""insert into intermediate.int_users by name
        select '{PRODUCT}' as source_product_id, '{PRODUCT}' as identity_space, 'u' || i as user_id,
            {_key()} as person_key, {_key()} as member_key,
            ({list(CHANNELS)})[1 + (hash(i) % {len(CHANNELS)})::bigint] as channel,
            'c' || (hash(i * 7) % 20) as campaign, false as is_excluded, i % 9 = 0 as is_invited,
            false as is_activated_at_once, {_signed_up(first, days)} as local_date,
            {_signed_up(first, days)}::timestamp as signed_up_at
        from range({users}) as u(i)"""
    )
    # bits at random, three in ten: as a year of activity would leave them
    drawn = [
        " ".join(f"hash(i * 1000 + q * 10 + {part + n}) {sign}" for n, sign in _THREE_IN_TEN)
        for part in (0, 4)
    ]
    bits = f"(({drawn[0]})::hugeint | ((({drawn[1]}) >> 36)::hugeint << 64))"
    connection.execute(
        f"""insert into intermediate.int_user_quarters by name
        select '{PRODUCT}' as source_product_id, {_key()} as person_key, {_key()} as member_key,
            quarter_start, (({bits}) & mask)::hugeint as active_days,
            (({bits}) & mask & {0x1111111111111111})::hugeint as activation_days
        from (
            select quarter_start, row_number() over (order by quarter_start) as q,
                bit_or(1::hugeint << (d - quarter_start)) as mask
            from (
                select d::date as d, date_trunc('quarter', d)::date as quarter_start
                from generate_series(timestamp '{first}', timestamp '{LAST - timedelta(days=1)}',
                    interval 1 day) as t(d))
            group by quarter_start) as quarters
        cross join range({users}) as u(i)
        order by quarter_start, hash(i)"""
    )
    connection.execute("delete from intermediate.int_user_quarters where active_days = 0")
    connection.execute(
        f"""insert into intermediate.int_user_profiles by name
        with firsts as (
            select member_key, min(quarter_start
                + bit_count((active_days & -active_days) - 1)::integer) as first_active_day
            from intermediate.int_user_quarters group by member_key)
        select u.source_product_id, u.identity_space, u.user_id, u.person_key, u.member_key,
            md5_number_lower(
                '{PRODUCT}' || chr(31) || u.channel || chr(31) || u.campaign) as cell_key,
            u.channel, u.campaign, u.is_invited, u.is_activated_at_once, false as is_in_several,
            u.local_date as signed_up_on, f.first_active_day,
            f.first_active_day as first_active_day_in_space, u.signed_up_at
        from intermediate.int_users as u left join firsts as f on u.member_key = f.member_key"""
    )


#: Four random numbers make one of which 5 bits in 16 are set.
_THREE_IN_TEN = ((0, "& ("), (1, "| ("), (2, "&"), (3, "))"))


def _key() -> str:
    return f"md5_number_lower('{PRODUCT}' || chr(31) || 'u' || i)"


def _signed_up(first: date, days: int) -> str:
    return f"(date '{first}' + (hash(i * 3) % {days})::integer)::date"


def _lay_out(connection: duckdb.DuckDBPyConnection, settings: Settings, first: date) -> None:
    """What a build reads, without rows: every day from `first` landed and is to be built."""
    space = workspace.load(settings.workspace)
    days = [first + timedelta(days=n) for n in range((LAST - first).days + 1)]
    keys = [("user_growth", PRODUCT, day) for day in days]
    rows = [
        dict.fromkeys(handover.SLICE_COLUMNS)
        | {"feed": feed, "product_id": product, "day": day, "status": "landed"}
        for feed, product, day in keys
    ]
    # no file is read: rows are made below, as they come out of landing
    without_files = {key: BuiltSlice("absent", "") for key in keys}
    changes = Changes(tuple(keys), first, first, True, ())
    handover.lay_out(connection, settings, space, rows, without_files, changes)


def _lay_out_last_day(connection: duckdb.DuckDBPyConnection, users: int) -> None:
    """The last day alone is new, with the rows it brings."""
    connection.execute("delete from landing.touched_slices where day < ?", [LAST])
    connection.execute("update landing.changed_from set day = ?", [LAST])
    connection.execute(
        f"""insert into landing.activity by name
        select 'e' || i as event_id, 'u' || i as user_id, '{PRODUCT}' as product_id,
            timestamp '{LAST} 09:00:00' + to_seconds(i % 40000) as occurred_at,
            'post' as kind, date '{LAST}' as local_date
        from range({users}) as u(i) where hash(i * 31) % 10 < 3"""
    )
    connection.execute(
        f"""insert into landing.users by name
        select 'new' || i as user_id, '{PRODUCT}' as product_id,
            timestamp '{LAST} 08:00:00' as signed_up_at,
            ({list(CHANNELS)})[1 + (i % {len(CHANNELS)})::bigint] as channel, 'c1' as campaign,
            date '{LAST}' as local_date
        from range({SIGN_UPS_A_DAY}) as u(i)"""
    )


def _write_workspace(home: Path) -> None:
    tables = {
        "company": "name,currency,time_zone,week_start,fiscal_year_start_month\n"
        "B,EUR,UTC,monday,1\n",
        "products": "product_id,name,time_zone,currency,started_on,identity_space,traffic_source\n"
        f"{PRODUCT},Shop,UTC,EUR,2020-01-01,{PRODUCT},own\n",
        "product_stages": f"product_id,stage,valid_from,valid_to\n{PRODUCT},growth,2020-01-01,\n",
        "teams": "team,name\n" + "".join(f"{team},{team}\n" for team in TEAMS),
        "people": "person_id,name,rank,team,manager,email,locale,time_zone,valid_from,valid_to\n"
        + "".join(
            f"p{n},P,specialist,{team},,p{n}@example.org,en,UTC,2020-01-01,\n"
            for n, team in enumerate(TEAMS)
        ),
        "ownership": "person_id,what,which,product_id,valid_from,valid_to\n"
        f"p0,product,{PRODUCT},,2020-01-01,\n"
        + "".join(f"p{n},channel,{CHANNELS[n]},,2020-01-01,\n" for n in range(1, 4)),
        "channel_rules": "position,channel,field,pattern\n1,email,utm_medium,email\n",
        "channels": "channel,name\n" + "".join(f"{name},{name}\n" for name in CHANNELS[:-1]),
        "activity_kinds": "kind,is_active,is_activation,is_order,points\npost,true,true,false,\n",
    }
    folder = home / "organisation"
    folder.mkdir(parents=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    sources = "".join(
        f"  - {{feed: user_growth, table: {table}, product: {PRODUCT}, format: csv, "
        f"files: '{table}/{{day}}.csv', arrival: file_per_day}}\n"
        for table in ("users", "activity")
    )
    (home / "sources.yml").write_text(
        f"give_up_at: {{user_growth: '03:00'}}\nsources:\n{sources}", encoding="utf-8"
    )
    (home / "reports.yml").write_text("mail_from: 2020-01-01\nreports: {}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
    leave(0)
