"""The simulated company: same seed, same bytes; and the planted facts are in its data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from kpi_pipeline import simulate, workspace
from kpi_pipeline.errors import ConfigurationError

FIRST, LAST = date(2024, 4, 1), date(2024, 6, 30)
COSTA = (
    "id",
    "ts",
    "vid",
    "page",
    "ref",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "content_id",
    "country",
    "device",
    "is_bot",
)
ZONES = {"costa": "Europe/Madrid", "ledgerly": "America/New_York", "kumo": "Asia/Tokyo"}


def digests(folder: Path) -> dict[str, str]:
    """Every file below the folder by the hash of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole 18 months, made once."""
    target = tmp_path_factory.mktemp("simulated") / "company"
    simulate.generate(target)
    return target


@pytest.fixture(scope="module")
def query(company: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The company's files as tables: page views, exposure, users and activity by product."""
    data = company / "data"
    connection = duckdb.connect()
    for statement in (
        f"""create table costa_views as select *, parse_filename(filename)[:10]::date as day
            from read_csv('{data}/costa/page_views/*', auto_detect = false, header = true,
            delim = ',', quote = '"', filename = true, columns = {{
            {", ".join(f"'{name}': 'VARCHAR'" for name in COSTA)}}})""",
        f"create table ledgerly_views as from read_json('{data}/ledgerly/page_views/*')",
        f"create table kumo_views as from '{data}/kumo/page_views.parquet'",
        f"create table costa_exposure as from read_csv('{data}/costa/advertising/*')",
        f"""create table users as select user_id, ((signed_up_at at time zone 'UTC')
            at time zone 'America/New_York')::date as day
            from '{data}/ledgerly/users.parquet' where user_id <> 'L-internal'""",
        f"""create table activity as select user_id, ((occurred_at at time zone 'UTC')
            at time zone 'America/New_York')::date as day
            from '{data}/ledgerly/activity.parquet'""",
        f"""create table kumo_users as select strptime(registered, '%Y/%m/%d %H:%M:%S')::date as day
            from read_csv('{data}/kumo/sign_ups.csv', all_varchar = true)""",
    ):
        connection.execute(statement)
    yield connection
    connection.close()


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return float(row[0])


def fact(company: Path, kind: str) -> dict[str, object]:
    truth = json.loads((company / "truth.json").read_text(encoding="utf-8"))
    (found,) = [fact for fact in truth["facts"] if fact["kind"] == kind]
    return dict(found)


def test_same_seed_same_bytes_and_another_seed_other_data(tmp_path: Path) -> None:
    span = (date(2024, 6, 1), date(2024, 6, 20))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate.generate(tmp_path / name, *span, seed)
    first, again, other = (digests(tmp_path / name) for name in "abc")
    assert first == again
    assert list(first) == list(other)
    # eight items of three types may come out alike; everything else that is made differs
    made = {name for name in first if name.startswith("data/") and "content" not in name}
    assert {name for name in first if first[name] == other[name]} & made == set()
    assert len(made) > 50
    simulate.generate(tmp_path / "c", *span, 1)
    assert digests(tmp_path / "c") == first


def test_every_source_has_files_and_every_day_its_file(company: Path) -> None:
    loaded = workspace.load(company)
    days = [simulate.FIRST + timedelta(days=n) for n in range(547)]
    assert days[-1] == simulate.LAST
    missing = [
        (source.product, source.table, day.isoformat())
        for source in loaded.sources
        if source.arrival == "file_per_day"
        for day in days
        if not (loaded.root / source.files.replace("{day}", day.isoformat())).is_file()
    ]
    outage = fact(company, "outage")
    assert missing == [(outage["product"], "page_views", outage["first"])]
    covering = {s.files for s in loaded.sources if s.arrival == "covering"}
    assert [files for files in covering if not list(company.glob(files))] == []
    declared = {
        path
        for source in loaded.sources
        for path in company.glob(source.files.replace("{day}", "*"))
    }
    assert {path for path in (company / "data").rglob("*") if path.is_file()} == declared


def test_events_lie_within_the_local_days_of_their_product(
    query: duckdb.DuckDBPyConnection,
) -> None:
    times = {
        "costa": "try_cast(ts as timestamp)",
        "ledgerly": "occurred_at::timestamp",
        "kumo": "occurred_at",
    }
    for product, zone in ZONES.items():
        row = query.execute(
            f"select min({times[product]}), max({times[product]}) from {product}_views"
        ).fetchone()
        assert row is not None
        local = [moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)) for moment in row]
        assert [moment.date() for moment in local] == [simulate.FIRST, simulate.LAST]
    in_own_file = one(
        query,
        "select count(*) filter (((ts::timestamp at time zone 'UTC') at time zone 'Europe/Madrid')"
        "::date = day) / count(*) from costa_views where ts <> 'N/A'",
    )
    assert in_own_file == 1.0
    last = one(query, "select count(*) from activity where day > '2024-06-30'")
    assert last == 0


def test_volumes_are_those_of_small_sites(query: duckdb.DuckDBPyConnection) -> None:
    for product, visitor in (("costa", "vid"), ("ledgerly", "visitor_id"), ("kumo", "visitor")):
        views, people = (
            one(query, f"select {what} from {product}_views where not is_bot::boolean")
            for what in ("count(*) / 547", f"count(distinct {visitor})")
        )
        assert 300 < views < 600
        assert people < 547 * views / 3  # visitors come back


def test_truth_names_every_fact_of_the_span(company: Path, tmp_path: Path) -> None:
    truth = json.loads((company / "truth.json").read_text(encoding="utf-8"))
    assert {key: truth[key] for key in ("seed", "first", "last", "is_complete")} == {
        "seed": simulate.SEED,
        "first": "2023-01-01",
        "last": "2024-06-30",
        "is_complete": True,
    }
    assert [
        (f["kind"], f["product"], f["first"], f["last"], f["size"]) for f in truth["facts"]
    ] == [
        ("campaign", "costa", "2024-06-03", "2024-06-30", 1.6),
        ("outage", "costa", "2023-11-14", "2023-11-14", 1.0),
        ("bot_wave", "costa", "2024-04-09", "2024-04-10", 2400.0),
        ("decay", "ledgerly", "2023-07-01", "2024-06-30", 0.0022),
        ("dearer_attention", "costa", "2023-10-01", "2024-06-30", 0.0016),
        ("better_cohort", "ledgerly", "2024-02-01", "2024-02-29", 1.9),
        ("stage_change", "kumo", "2024-06-17", "2024-06-30", 1.0),
        ("broken_rows", "costa", "2024-02-08", "2024-02-08", 7.0),
        ("repeated_rows", "costa", "2023-01-01", "2024-06-30", 1 / 20011),
    ]
    simulate.generate(tmp_path / "short", date(2024, 5, 1), date(2024, 5, 2))
    short = json.loads((tmp_path / "short" / "truth.json").read_text(encoding="utf-8"))
    assert [f["kind"] for f in short["facts"]] == ["decay", "dearer_attention", "repeated_rows"]


def test_the_campaign_lifts_its_channel(query: duckdb.DuckDBPyConnection) -> None:
    entries = """select count(*) filter (utm_campaign = 'verano_2024') /
        count(*) filter (utm_campaign = 'siempre' or url like '%fbclid%')
        from (select *, page as url from costa_views) where day {}"""
    assert one(query, entries.format("between '2024-06-03' and '2024-06-30'")) == pytest.approx(
        1.6, rel=0.15
    )
    assert one(query, entries.format("< '2024-06-03'")) == 0


def test_the_bot_wave_is_marked(query: duckdb.DuckDBPyConnection) -> None:
    bots = query.execute(
        "select day::varchar, count(*), count(distinct vid) from costa_views "
        "where is_bot = 'true' group by day having count(*) > 100 order by day"
    ).fetchall()
    assert [(day, visitors) for day, _, visitors in bots] == [
        ("2024-04-09", 40),
        ("2024-04-10", 40),
    ]
    assert [count for _, count, _ in bots] == pytest.approx([2409, 2409], abs=15)


def test_the_channel_decays(query: duckdb.DuckDBPyConnection) -> None:
    share = """select count(*) filter (utm_medium = 'email') / count(*) from ledgerly_views
        where occurred_at >= '{}' and occurred_at < '{}' and referrer is distinct from
        'https://www.ledgerly.example/' and not is_bot"""
    before = one(query, share.format("2023-04-01", "2023-07-01"))
    after = one(query, share.format("2024-04-01", "2024-07-01"))
    # a year of decay from the middle of one quarter to that of the other: 0.9978 ** 320, and the
    # other channels keep what they had
    assert after / before == pytest.approx(0.55, abs=0.08)


def test_attention_gets_dearer(query: duckdb.DuckDBPyConnection) -> None:
    price = """select 1000 * sum(cost) / sum(impressions) from costa_exposure
        where channel = 'paid_social' and campaign = 'siempre' and date between '{}' and '{}'"""
    before = one(query, price.format("2023-07-01", "2023-09-30"))
    after = one(query, price.format("2024-06-01", "2024-06-30"))
    assert after / before == pytest.approx(1.0016**259, rel=0.04)


def test_the_cohort_stays_longer(query: duckdb.DuckDBPyConnection) -> None:
    retention = """select count(distinct a.user_id) / count(distinct u.user_id) from users as u
        left join activity as a on a.user_id = u.user_id and a.day = u.day + 30
        where u.day between '{}' and '{}'"""
    before = one(query, retention.format("2024-01-01", "2024-01-31"))
    cohort = one(query, retention.format("2024-02-01", "2024-02-29"))
    after = one(query, retention.format("2024-03-01", "2024-03-31"))
    assert cohort > 1.4 * before
    assert cohort > 1.4 * after


def test_the_new_stage_brings_sign_ups(query: duckdb.DuckDBPyConnection) -> None:
    daily = "select count(*) / count(distinct day) from kumo_users where day between '{}' and '{}'"
    before = one(query, daily.format("2024-06-03", "2024-06-16"))
    after = one(query, daily.format("2024-06-17", "2024-06-30"))
    assert after / before == pytest.approx(1.5, rel=0.15)


def test_broken_and_repeated_rows_are_there(query: duckdb.DuckDBPyConnection) -> None:
    broken = query.execute(
        "select day::varchar, count(*) from costa_views where ts = 'N/A' group by day"
    ).fetchall()
    assert broken == [("2024-02-08", 7)]
    rows = one(query, "select count(*) from costa_views")
    repeated = one(query, "select count(*) - count(distinct id) from costa_views")
    assert repeated == pytest.approx(rows / 20011, abs=1)
    assert repeated > 0


def test_it_touches_no_other_folder_and_no_other_days(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for target, span, message in (
        ("mine", (FIRST, LAST), "holds something that is not demo data; name an empty folder."),
        ("new", (date(2022, 12, 31), LAST), "expected a first day of 2023-01-01 or later"),
        ("new", (LAST, FIRST), "and a last day not before it."),
    ):
        with pytest.raises(ConfigurationError, match=message):
            simulate.generate(tmp_path / target, *span)
    assert digests(tmp_path) == {"mine/letter.txt": hashlib.sha256(b"dear").hexdigest()}


def test_progress_names_each_product(tmp_path: Path) -> None:
    said: list[str] = []
    simulate.generate(tmp_path / "new", LAST, LAST, 1, said.append)
    assert said == [
        f"Simulating {product}: 2024-06-30 to 2024-06-30"
        for product in ("costa", "ledgerly", "kumo", "atlas")
    ]


def test_broken_off_runs_can_be_run_again(tmp_path: Path) -> None:
    def stop(message: str) -> None:
        if "kumo" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate.generate(tmp_path / "new", LAST, LAST, 1, stop)
    truth = json.loads((tmp_path / "new" / "truth.json").read_text(encoding="utf-8"))
    assert truth["is_complete"] is False
    simulate.generate(tmp_path / "new", LAST, LAST, 1)
    simulate.generate(tmp_path / "whole", LAST, LAST, 1)
    assert digests(tmp_path / "new") == digests(tmp_path / "whole")
