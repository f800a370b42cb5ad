"""Every KPI value and status of a small company equals what a slow reference counts."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pytest
import reference
import reference_drivers
import small_company

from kpi_pipeline import landing, warehouse, workspace
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.periods import each_day
from kpi_pipeline.runlog import RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import folder_of, read_slice
from kpi_pipeline.warehouse import building
from kpi_pipeline.warehouse.dbt import Progress, run_dbt

FIRST = date(2024, 1, 24)
LAST = date(2024, 3, 12)  # New York's short day, 10 March, lies within
#: york starts inside the span, and has both what a backend reports and its own page views.
PRODUCT_FEEDS = {
    **small_company.FEEDS,
    "york": ("page_views", "traffic", "exposure", "user_growth"),
}
VALUE_COLUMNS = ", ".join(reference.Value._fields)
STATUS_COLUMNS = ", ".join(reference.Status._fields)
#: How near money must be: the models round it to four decimals a day.
MONEY = {
    **dict.fromkeys(("cost", "cpm", "cpc", "cost_per_visit", "cac"), 1e-4),
    **dict.fromkeys(("payback_months", "ltv_to_cac", "roi"), 1e-3),
    **dict.fromkeys(("revenue", "points_cost", "arpu", "ltv"), 1e-5),
}
YORK_STARTS = date(2024, 1, 30)
#: Files that never come.
ABSENT = {
    "rio/page_views": {date(2024, 2, 14)},
    "rio/exposure": {date(2024, 2, 8), date(2024, 3, 1)},
    "nara/traffic": {date(2024, 2, 16)},
    "nara/users": {date(2024, 2, 20), *each_day(date(2024, 3, 3), date(2024, 3, 9))},
    "york/traffic": {date(2024, 2, 22)},
    "york/users": {date(2024, 2, 6)},
}
ORGANISATION = {
    "company": """name,currency,time_zone,week_start,fiscal_year_start_month
Small Company,EUR,UTC,sunday,2
""",
    "products": """product_id,name,time_zone,currency,started_on,identity_space,traffic_source,\
margin_share,point_cost
rio,Rio,America/Sao_Paulo,BRL,2024-01-10,shared,own,0.4,0.05
nara,Nara,Asia/Tokyo,JPY,2024-01-10,shared,own,0.6,
york,York,America/New_York,USD,2024-01-30,york,backend,,0.02
""",
    "people": """person_id,name,rank,team,manager,email,locale,time_zone,valid_from,valid_to
dan,Dan,director,,,dan@example.org,en,UTC,2024-01-01,
mia,Mia,manager,content,dan,mia@example.org,es,UTC,2024-01-01,
sam,Sam,specialist,content,mia,sam@example.org,en,UTC,2024-01-01,
ana,Ana,specialist,content,mia,ana@example.org,en,UTC,2024-01-01,
eva,Eva,specialist,promotion,dan,eva@example.org,es,Asia/Tokyo,2024-01-01,
max,Max,specialist,user,dan,max@example.org,en,UTC,2024-02-19,
""",
    # rio changes hands in mid-week; a prefix goes to a colleague; max owns from when he is here
    "ownership": """person_id,what,which,product_id,valid_from,valid_to
sam,product,rio,,2024-01-01,2024-02-14
sam,page_prefix,/guides,nara,2024-01-01,2024-02-23
ana,page_prefix,/guides,nara,2024-02-23,
eva,channel,paid_search,,2024-01-01,
eva,product,rio,,2024-02-14,
eva,campaign,spring,rio,2024-01-01,
max,product,york,,2024-02-01,
""",
    "targets": """kpi_id,scope_kind,scope_id,product_id,grain,period_start,value
visits,product,rio,rio,month,2024-02-01,500
sign_ups,company,(all),(all),month,2024-02-01,60
sign_ups,company,(all),(all),month,2024-03-01,60
visits,person,sam,(all),day,2024-02-05,20
active_users,product,york,york,quarter,2024-02-01,50
""",
    "channels": """channel,name
paid_search,Paid search
organic_search,Organic search
email,Email
social,Social
offline,Offline
direct,Direct
""",
    "channel_rules": """position,channel,field,pattern
10,paid_search,utm_medium,cpc
20,email,utm_medium,email
25,direct,code,evt-.*
30,paid_search,click_id,gclid
40,organic_search,referrer_kind,search
50,social,referrer_kind,social
60,email,referrer_kind,email
90,direct,direct,
""",
    "channel_codes": """code,channel,name
evt-fair,offline,Book fair
flyer,offline,Flyer
""",
    # USD has no rate on york's first days
    "exchange_rates": """currency,valid_from,rate
BRL,2024-01-01,0.185
JPY,2024-01-01,0.0062
USD,2024-02-01,0.92
USD,2024-02-10,0.93
""",
    "exclusions": """product_id,kind,value,reason
rio,user,u-7,Test account
nara,visitor,v-33,Own screen
,utm_source,probe,Monitoring
,path_prefix,/admin,Own staff
""",
}


class Built(NamedTuple):
    """expected: what counts them again. values: fct_kpi_values as built."""

    expected: reference.Reference
    values: dict[reference.Key, reference.Value]
    warehouse: Path


#: One product's exposure over a leap year and some days, for comparisons with the year before.
LONG_FIRST = date(2023, 12, 18)
LONG_LAST = date(2025, 1, 20)
LONG_FEEDS = {"york": ("exposure",)}
LONG_ORGANISATION = {
    "products": """product_id,name,time_zone,currency,started_on,identity_space,traffic_source
york,York,America/New_York,USD,2023-12-18,york,backend
""",
    "product_stages": "product_id,stage,valid_from,valid_to\nyork,brand,2023-12-18,\n",
    "people": """person_id,name,rank,team,manager,email,locale,time_zone,valid_from,valid_to
sam,Sam,specialist,content,,sam@example.org,en,UTC,2023-01-01,
""",
    "ownership": """person_id,what,which,product_id,valid_from,valid_to
sam,channel,email,york,2023-12-01,2024-06-12
sam,channel,paid_search,york,2023-12-01,
""",
    "targets": """kpi_id,scope_kind,scope_id,product_id,grain,period_start,value
impressions,product,york,york,quarter,2024-04-01,200000
clicks,company,(all),(all),month,2025-01-01,1000
""",
    "exclusions": "product_id,kind,value,reason\n",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    root = tmp_path_factory.mktemp("reference")
    space = small_company.write_workspace(root, ORGANISATION, PRODUCT_FEEDS)
    settings = small_company.settings_for(root, space)
    _write_files(space)
    _land_and_build(settings, FIRST, LAST)
    values = _read(settings.warehouse, "fct_kpi_values", VALUE_COLUMNS)
    return Built(
        reference.Reference(space, PRODUCT_FEEDS, FIRST, LAST),
        {key: reference.Value(*row) for key, row in values.items()},
        settings.warehouse,
    )


def test_every_value_equals_the_reference(built: Built) -> None:
    expected = built.expected.values()
    assert {key[0] for key in expected} == set(reference.KPIS)
    assert len(expected) > 90_000
    lifts = {(key[2], key[4]) for key, v in expected.items() if key[0] == "points_lift" and v.value}
    assert lifts == {
        (kind, grain) for kind in ("company", "product") for grain in ("week", "month")
    }
    _assert_same(built.values, expected, MONEY)


def test_every_comparison_equals_the_reference(built: Built) -> None:
    found = _read(built.warehouse, "fct_kpi_status", STATUS_COLUMNS)
    expected = built.expected.statuses(built.values)
    assert sum(row.previous_value is not None for row in expected.values()) > 10_000
    assert sum(row.attainment is not None for row in expected.values()) > 20
    _assert_same(found, expected, {})


def test_every_contribution_equals_the_reference(built: Built) -> None:
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select product_id, scope_kind, scope_id, grain, period_start, dimension, kpi_id, "
            "member, effect, contribution from kpis.fct_kpi_drivers where comparison = 'previous' "
            f"and dimension in {tuple(reference_drivers.OF)} "
            f"and kpi_id in {tuple(reference_drivers.KPIS)} and contribution is not null"
        ).fetchall()
    found: dict[tuple[Any, ...], dict[tuple[str, str], float]] = defaultdict(dict)
    for row in rows:
        if row[8] == "residual":
            found.setdefault(row[:7], {})
        else:
            found[row[:7]][row[7:9]] = row[9]
    told = {(key[1], key[5]) for key in found}
    assert told >= {("team", "campaign"), ("team", "product"), ("company", "product")}
    assert len(found) > 300
    families: dict[reference.Scope, reference_drivers.Families] = {}
    sides: dict[Any, Any] = {}
    for (product_id, kind, scope_id, grain, start, dimension, kpi_id), own in found.items():
        scope = reference.Scope(kind, product_id, scope_id)
        if scope not in families:
            families[scope] = reference_drivers.Families(built.expected, scope)
        after = built.expected.period_of(grain, start)
        for period in (after, built.expected.compared(after)):
            if (scope, period, dimension) not in sides:
                sides[scope, period, dimension] = families[scope].sides(period, dimension)
        expected = reference_drivers.contributions(
            kpi_id,
            sides[scope, built.expected.compared(after), dimension].get(kpi_id, {}),
            sides[scope, after, dimension].get(kpi_id, {}),
        )
        told_of = f"{kpi_id} of {scope} by {dimension}, {grain} {start}"
        assert own.keys() == expected.keys(), told_of
        for key, value in expected.items():
            near = MONEY.get(kpi_id, 1e-9)
            assert math.isclose(own[key], value, rel_tol=near, abs_tol=near), (told_of, key)


def test_who_came_first_by_a_channel_and_what_was_viewed_equal_the_reference(built: Built) -> None:
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select product_id, scope_kind, scope_id, grain, period_start, dimension, "
            "map_from_entries(list((member, contribution)) filter (where effect = 'volume')) "
            "from kpis.fct_kpi_drivers where comparison = 'previous' and contribution is not null "
            "and (kpi_id, dimension) in "
            "(('unique_visitors', 'first_touch_channel'), ('page_views', 'content_type')) "
            "group by all"
        ).fetchall()
    assert {(row[1], row[5]) for row in rows} == {
        ("product", "first_touch_channel"),
        ("product", "content_type"),
        ("company", "content_type"),
    }
    for product_id, kind, scope_id, grain, start, dimension, found in rows:
        scope = reference.Scope(kind, product_id, scope_id)
        after = built.expected.period_of(grain, start)
        before = built.expected.compared(after)
        count = {
            "first_touch_channel": reference_drivers.first_touches,
            "content_type": reference_drivers.content_views,
        }[dimension]
        sides = [count(built.expected, scope, period) for period in (before, after)]
        members = {member for side in sides for member, n in side.items() if n}
        expected = {m: sides[1].get(m, 0) - sides[0].get(m, 0) for m in members}
        assert found == expected, (scope, grain, start, dimension)


def test_comparisons_with_last_year_and_quarters_equal_the_reference(tmp_path: Path) -> None:
    space = small_company.write_workspace(tmp_path, LONG_ORGANISATION, LONG_FEEDS)
    settings = small_company.settings_for(tmp_path, space)
    for day in each_day(LONG_FIRST, LONG_LAST):
        if day != date(2024, 5, 5):
            small_company.write_day(space, day, feeds=LONG_FEEDS)
    _land_and_build(settings, LONG_FIRST, LONG_LAST)
    whole = reference.Reference(space, LONG_FEEDS, LONG_FIRST, LONG_LAST)
    values = {
        key: reference.Value(*row)
        for key, row in _read(settings.warehouse, "fct_kpi_values", VALUE_COLUMNS).items()
    }
    _assert_same(values, whole.values(), MONEY)
    expected = whole.statuses(values)
    assert sum(row.last_year_value is not None for row in expected.values()) > 500
    _assert_same(_read(settings.warehouse, "fct_kpi_status", STATUS_COLUMNS), expected, {})


def _write_files(space: Path) -> None:
    for day in each_day(FIRST, LAST):
        wanted = {
            f"{product}/{table}"
            for product in PRODUCT_FEEDS
            for table in small_company.COLUMNS
            if product != "york" or day >= YORK_STARTS
        }
        wanted -= {name for name, days in ABSENT.items() if day in days}
        small_company.write_day(space, day, only=wanted, feeds=PRODUCT_FEEDS)
    for product, table, day, row in [*_edges(), *_pauses(), *_campaigns(), *_oddities()]:
        small_company.add_rows(space, product, table, day, [row])


Row = tuple[str, str, date, dict[str, object]]


def _edges() -> Iterator[Row]:
    """Page views, sign-ups and activity a minute either side of a day's, week's and month's edge.

    Those before it stand in the next day's file, as in files cut by another clock.
    """
    for product, zone in small_company.ZONES.items():
        for day in (date(2024, 2, 4), date(2024, 2, 1), date(2024, 3, 10), date(2024, 3, 11)):
            midnight = datetime.combine(day, time(), ZoneInfo(zone))
            for name, at in (
                ("before", midnight.astimezone(UTC) - timedelta(minutes=1)),
                ("after", midnight.astimezone(UTC) + timedelta(minutes=1)),
            ):
                who = f"edge-{product}-{day}"
                if "page_views" in PRODUCT_FEEDS[product]:
                    yield _view(product, day, f"{who}-{name}", at, visitor=who)
                    yield _view(product, day, f"{who}-{name}-new", at, visitor=f"{who}-{name}")
                yield _act(product, day, f"{who}-{name}", at, who)
                if day in ABSENT.get(f"{product}/users", ()):
                    continue
                row = {"user_id": f"{who}-{name}", "signed_up_at": at.isoformat()}
                yield (product, "users", day, {**row, "channel": "email"})


def _pauses() -> Iterator[Row]:
    """A second less than, exactly, and a second more than the pause that ends a visit."""
    day = date(2024, 2, 27)
    for minutes in (timedelta(minutes=29, seconds=59), timedelta(minutes=30),
                    timedelta(minutes=30, seconds=1)):  # fmt: skip
        for product in ("rio", "nara"):
            at = _local(product, day, 10)
            for number in range(3):
                name = f"pause-{product}-{minutes.seconds}"
                yield _view(product, day, f"{name}-{number}", at + number * minutes, visitor=name)


def _campaigns() -> Iterator[Row]:
    """Visits that go on without a campaign, end when one arrives, and when another does."""
    day = date(2024, 2, 28)
    spring, weekly = ("google", "cpc", "spring"), ("news", "email", "weekly")
    for product in ("rio", "nara"):
        for who, triples in {
            "none-then-one": (None, spring),
            "one-then-none-then-same": (spring, None, spring),
            "one-then-none-then-other": (spring, None, weekly, None, weekly),
            "there-and-back": (spring, weekly, spring),
            "only-a-source": (("news", "", ""), ("news", "email", ""), ("", "", "weekly")),
        }.items():
            for number, triple in enumerate(triples):
                at = _local(product, day, 11) + timedelta(minutes=number)
                yield _view(product, day, f"{who}-{number}", at, visitor=who, tags=triple)


def _oddities() -> Iterator[Row]:
    day = date(2024, 2, 29)
    at = _local("rio", day, 12)
    minute = timedelta(minutes=1)
    # a repeated id counts at its earliest time, on each of two days once
    for number, shift in enumerate((5, 0, 90)):
        yield _view("rio", day, "again", at + shift * minute, visitor=f"again-{number}")
    yield _view("rio", day + reference.DAY, "again", at + timedelta(days=1), visitor="again-0")
    # where a visit comes from, and which page it enters by
    for number, (url, referrer, tags) in enumerate((
        ("https://rio.example/guides/?gclid=x", "", None),
        ("https://rio.example/?gclid=x", "", ("", "", "autumn")),
        ("https://rio.example/?utm_source=news&utm_medium=email&utm_campaign=weekly", "", None),
        ("https://rio.example/about", "https://www.rio.example/", None),
        ("https://rio.example/about", "https://blog.example/", None),
        ("https://rio.example/caf%C3%A9/", "https://google.com/", None),
        ("https://rio.example/adminx", "", None),
        ("https://rio.example/admin/#x", "", None),
        ("https://rio.example/", "", ("probe", "", "")),
        ("https://rio.example/", "https://m.weibo.cn/x", None),
        ("https://rio.example/", "https://mail.google.com/", None),
        ("https://rio.example/", "https://m.weibo.cn/", ("", "", "EVT-Fair")),
        ("https://rio.example/", "", ("flyer", "", "")),
    )):  # fmt: skip
        yield _view("rio", day, f"from-{number}", at, f"from-{number}", tags, url, referrer)
    # one person in two products that share an identity space: signs up in both, acts in one first
    for number, product in enumerate(("nara", "rio")):
        signed_up_at = _local(product, day + number * reference.DAY, 9).isoformat()
        yield (product, "users", day + number * reference.DAY, {
            "user_id": "both", "signed_up_at": signed_up_at, "channel": ("email", "")[number],
        })  # fmt: skip
        yield _act(product, day, f"both-{product}", _local(product, day, 8), "both")
    # signs up again, and only acts in a way that does not count
    for number in range(2):
        again = day + number * reference.DAY
        signed_up_at = _local("york", again, 9).isoformat()
        yield ("york", "users", again, {"user_id": "twice", "signed_up_at": signed_up_at})
        yield _act("york", again, "idle", _local("york", again, 9), "idle", kind="visit")
    # repeated activity: the earliest says who it was
    for number, shift in enumerate((3, 1, 2)):
        yield _act("rio", day, "act-again", at + shift * minute, f"acts-{number}")
    # an excluded user, excluded in one product only
    for product in ("rio", "nara"):
        yield _act(product, day, "excluded", _local(product, day, 10), "u-7")
    # orders without a value, in a currency without a rate, of an excluded user, twice, and nobody's
    for product, who, value, currency in (
        ("rio", "u-12", "", ""), ("nara", "u-12", "5", "GBP"), ("rio", "u-7", "9", ""),
        ("nara", "never-signed-up", "7.5", "EUR"), ("york", "u-40", "100", "BRL"),
    ):  # fmt: skip
        for number in range(2):
            bought = _act(product, day, f"order-{who}", at + number * minute, who, kind="buy")
            bought[3].update(value=value, currency=currency)
            yield bought
    # somebody comes every other day and brings others in; without it nobody would be core
    for number in range(0, (LAST - FIRST).days, 2):
        on = FIRST + number * reference.DAY
        for product in ("rio", "nara"):
            yield _act(product, on, "comes-often", _local(product, on, 10), "u-3")
        yield _act("nara", on, "comes-too", _local("nara", on, 11), "u-500")
    yield from _redeemers()
    # other currencies: one with a rate, one without, none; a cost of 0; no cost at all
    for number, (cost, currency) in enumerate((
        ("12.5", "USD"), ("3.25", "GBP"), ("1.75", ""), ("0", "BRL"), ("", "GBP"),
    )):  # fmt: skip
        shown: dict[str, object] = {
            "date": day - number * reference.DAY, "channel": "social", "campaign": "",
            "placement": f"p-{number}", "impressions": 1000, "clicks": 10, "cost": cost,
            "currency": currency,
        }  # fmt: skip
        yield ("rio", "exposure", day - number * reference.DAY, shown)


def _redeemers() -> Iterator[Row]:
    """Many who bought in January, some of whom redeem points later, some of these again."""
    chance = random.Random("redeemers")
    for number in range(200):
        product, who = ("rio", "nara")[number % 2], f"l-{number}"
        bought = _act(product, FIRST, f"{who}-buys", _local(product, FIRST, 9), who, kind="buy")
        bought[3].update(value=f"{number + 1}.00")
        yield bought
        for day in each_day(date(2024, 2, 1), LAST):
            if chance.random() < 0.1 + 0.1 * (number % 3):
                yield _act(product, day, f"{who}-posts", _local(product, day, 10), who)
        for day in each_day(date(2024, 2, 5), LAST):
            if number % 3 and chance.random() < 0.1:
                spent = _act(product, day, f"{who}-spends", _local(product, day, 11), who, "spend")
                spent[3].update(value="5")
                yield spent


def _view(
    product: str,
    day: date,
    event_id: str,
    at: datetime,
    visitor: str,
    tags: tuple[str, str, str] | None = None,
    url: str | None = None,
    referrer: str = "",
) -> Row:
    row = {
        "event_id": event_id,
        "occurred_at": at.astimezone(UTC).isoformat(),
        "visitor_id": visitor,
        "url": url or f"https://{product}.example/guides",
        "referrer": referrer,
        "is_bot": "false",
        **dict(zip(("utm_source", "utm_medium", "utm_campaign"), tags or (), strict=False)),
    }
    return (product, "page_views", day, row)


def _act(
    product: str, day: date, event_id: str, at: datetime, user: str, kind: str = "post"
) -> Row:
    occurred_at = at.astimezone(UTC).isoformat()
    row = {"event_id": event_id, "user_id": user, "occurred_at": occurred_at, "kind": kind}
    return (product, "activity", day, row)


def _local(product: str, day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), ZoneInfo(small_company.ZONES[product])).astimezone(UTC)


def _land_and_build(settings: Settings, first: date, last: date) -> None:
    space = workspace.load(settings.workspace)
    at = datetime.combine(last + timedelta(days=1), time(20), UTC)
    log = RunLog(settings)
    run_id = log.start_run("test", {}, at)
    for feed in FEEDS:
        products = [p for p in space.products if feed in space.feeds_of(p)]
        landing.land(settings, space, feed, products, list(each_day(first, last)), at, run_id)
    # the audit has tests of its own; here every landed slice passes
    slices = [
        read_slice(folder_of(settings.landing, row["feed"], row["product_id"], row["day"]))
        for row in log.unaudited()
    ]
    log.record_audits([SliceAudit(s, 1, 0, 0) for s in slices if s], run_id, at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "run_dbt", _run_models_only)
        warehouse.build(settings, space, at, run_id)


def _run_models_only(settings: Settings, arguments: list[str], progress: Progress) -> int:
    """The data tests have nothing to add to a comparison of every row."""
    return run_dbt(settings, ["run", *(a for a in arguments if a == "--full-refresh")], progress)


def _read(path: Path, table: str, columns: str) -> dict[reference.Key, tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select kpi_id, product_id, scope_kind, scope_id, grain, period_start, as_of_date, "
            f"{columns} from kpis.{table}"
        ).fetchall()
    assert len({row[:7] for row in rows}) == len(rows)
    return {row[:7]: row[7:] for row in rows}


def _assert_same(
    found: Mapping[reference.Key, tuple[Any, ...]],
    expected: Mapping[reference.Key, reference.Value | reference.Status],
    close: Mapping[str, float],
) -> None:
    """All rows and all columns; says where the differences are, with examples.

    close: how near is near enough, for KPIs for which it is not 1e-9.
    """
    kinds: Counter[tuple[str, ...]] = Counter()
    examples: dict[tuple[str, ...], str] = {}
    for key in found.keys() | expected.keys():
        if key not in found or key not in expected:
            differing = ["missing" if key in expected else "not expected"]
        else:
            names = expected[key]._fields
            differing = [
                name
                for name, one, other in zip(names, found[key], expected[key], strict=True)
                if not _equal(one, other, close.get(key[0], 1e-9))
            ]
        for name in differing:
            kind = (name, key[0], key[2], key[4])
            kinds[kind] += 1
            told = f"{key[:5]} {key[5]} to {key[6]}"
            examples[kind] = f"{told}: {found.get(key)}, expected {expected.get(key)}"
    listed = [f"{count} × {kind}, as {examples[kind]}" for kind, count in kinds.most_common(40)]
    assert not listed, "\n".join(listed)


def _equal(one: object, other: object, close: float) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=close, abs_tol=close)
    return one == other
