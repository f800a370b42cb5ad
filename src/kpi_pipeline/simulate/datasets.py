"""Turns what was drawn into the files that the example's `sources.yml` declares.

Each function puts arrays into DuckDB as a relation and says in SQL how a source writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import numpy as np

from kpi_pipeline.periods import GRAINS, Calendar, Period, period_of
from kpi_pipeline.simulate import planted
from kpi_pipeline.simulate.company import EPOCH, Firm, Users
from kpi_pipeline.simulate.exposure import Exposure
from kpi_pipeline.simulate.files import write_lines, write_parquet
from kpi_pipeline.simulate.users import Activities, SignUps, kinds_of
from kpi_pipeline.simulate.visits import (
    DEVICES,
    ITEMS_EVERY_DAYS,
    Ints,
    PageViews,
    Span,
    Visits,
    item_path,
    paths,
)

Connection = duckdb.DuckDBPyConnection
_TYPES = ("user", "professional", "own")


def write_page_views(
    connection: Connection, firm: Firm, span: Span, views: PageViews, data: Path
) -> None:
    """Page views: Costa as CSV by day, Ledgerly as JSON lines by month, Kumo as one Parquet."""
    arrays = {name: getattr(views, name) for name in PageViews.__dataclass_fields__}
    _draw(connection, {**arrays, "n": np.arange(len(views.at))})
    # two more origins at the end: monitoring (-2) and bots (-1), reached by index from the end
    origins = firm.origins
    tagged = [o.tagged for o in origins]
    source = [o.source if t else "" for o, t in zip(origins, tagged, strict=True)]
    medium = [o.medium if t else "" for o, t in zip(origins, tagged, strict=True)]
    campaign = [o.campaign if t else "" for o, t in zip(origins, tagged, strict=True)]
    connection.execute(
        """create or replace temp table viewed as
        select n,
            lpad(to_hex(n), 8, '0') as event,
            make_timestamp("at" * 1000000) as moment,
            list_extract($days, day + 1) as day,
            substr(md5(concat($product, visitor)), 1, 16) as visitor,
            list_extract($pages, page + 1) as path,
            is_entry,
            case when origin >= 0 and is_entry then list_extract($source, origin + 1)
                when origin = -2 then 'uptime-monitor' else '' end as utm_source,
            case when origin >= 0 and is_entry then list_extract($medium, origin + 1)
                when origin = -2 then 'monitor' else '' end as utm_medium,
            case when origin >= 0 and is_entry
                then list_extract($campaign, origin + 1) else '' end as utm_campaign,
            case when origin >= 0 and is_entry
                then list_extract($referrer, origin + 1) else '' end as outside,
            case when origin >= 0 and is_entry
                then list_extract($click, origin + 1) else '' end as click_id,
            case when page >= 3 then concat($product, '-', page - 3) end as content_id,
            list_extract($countries, country + 1) as country,
            list_extract($devices, device + 1) as device,
            origin = -1 as is_bot
        from drawn""",
        {
            "days": span.days,
            "product": firm.product,
            "pages": [quote(path) for path in paths(firm)],
            "source": source,
            "medium": medium,
            "campaign": campaign,
            "referrer": [o.referrer for o in origins],
            "click": [o.click_id for o in origins],
            "countries": list(firm.countries),
            "devices": list(DEVICES),
        },
    )
    host = f"https://www.{firm.product}.example"
    common = f"""
        concat('{host}', path,
            case when utm_source <> '' or click_id <> '' then '?' else '' end,
            case when utm_source <> '' then concat('utm_source=', utm_source, '&utm_medium=',
                utm_medium, case when utm_campaign <> '' then '&utm_campaign=' else '' end,
                utm_campaign) else '' end,
            case when utm_source <> '' and click_id <> '' then '&' else '' end,
            case when click_id <> '' then concat(click_id, '=', substr(md5(event), 1, 20))
                else '' end) as url,
        nullif(case when is_entry then outside else '{host}/' end, '') as referrer,
        nullif(utm_source, '') as utm_source, nullif(utm_medium, '') as utm_medium,
        nullif(utm_campaign, '') as utm_campaign, content_id, country, device, is_bot"""
    if firm.product == "costa":
        _write_costa(connection, common, span, data)
    elif firm.product == "ledgerly":
        write_lines(
            connection,
            "select day[:7] as file, n, concat('L', event) as event_id, "  # noqa: S608
            "strftime(moment, '%Y-%m-%dT%H:%M:%SZ') as occurred_at, visitor as visitor_id, "
            f"{common} from viewed",
            lambda month: data / "page_views" / f"{month}.jsonl.gz",
        )
    else:
        write_parquet(
            connection,
            f"select concat('K', event) as event_id, moment as occurred_at, visitor, {common} "  # noqa: S608
            "from viewed order by n",
            data / "page_views.parquet",
        )


def _write_costa(connection: Connection, common: str, span: Span, data: Path) -> None:
    """CSV by day: no file on the outage day, some lines twice, some times that are no times."""
    outage = planted.OUTAGE.first.isoformat()
    broken, broken_rows = planted.BROKEN_ROWS.first.isoformat(), int(planted.BROKEN_ROWS.size)
    every = round(1 / planted.REPEATED_ROWS.size)
    write_lines(
        connection,
        f"""with rows_once as (
            select day as file, n * 2 as n, concat('c', event) as id,
                case when day = '{broken}'
                    and row_number() over (partition by day order by n) <= {broken_rows}
                    then 'N/A' else strftime(moment, '%Y-%m-%d %H:%M:%S') end as ts,
                visitor as vid, {common}
            from viewed where day <> '{outage}'
        )
        select file, n, id, ts, vid, url as page, referrer as ref,
            * exclude (file, n, id, ts, vid, url, referrer) from rows_once
        union all
        select file, n + 1, id, ts, vid, url, referrer,
            * exclude (file, n, id, ts, vid, url, referrer) from rows_once
        where (n // 2) % {every} = {every - 1}""",  # noqa: S608
        lambda day: data / "page_views" / f"{day}.csv.gz",
        keys=[day for day in span.days if day != outage],
    )


def write_reported(
    connection: Connection,
    firm: Firm,
    span: Span,
    visits: Visits,
    rng: np.random.Generator,
    data: Path,
) -> None:
    """Visits as an analytics backend reports them: some percent off what was drawn."""
    origins, days, devices = len(firm.origins), len(span.offsets), len(DEVICES)
    shape = (origins, days, devices)
    cell = np.ravel_multi_index((visits.origin, visits.day, visits.device), shape)
    size = origins * days * devices
    count = np.bincount(cell, minlength=size)
    seen = np.flatnonzero(count)
    reported = np.maximum(1, np.round(count[seen] * 1.03 + rng.normal(0, 0.25, len(seen))))
    views = np.bincount(cell, weights=visits.pages, minlength=size)[seen]
    bounces = np.bincount(cell, weights=visits.pages == 1, minlength=size)[seen]
    origin, day, device = np.unravel_index(seen, shape)
    _draw(
        connection,
        {
            "n": np.arange(len(seen)),
            "origin": origin,
            "day": day,
            "device": device,
            "visits": reported.astype(np.int64),
            "visitors": np.ceil(reported * 0.94).astype(np.int64),
            "new_visitors": np.floor(reported * 0.5).astype(np.int64),
            "page_views": np.maximum(reported, views).astype(np.int64),
            "bounces": np.minimum(bounces, reported).astype(np.int64),
            "duration_seconds": np.round((views - count[seen]) * 68).astype(np.int64),
        },
    )
    names: list[tuple[str, str, str]] = []
    for o in firm.origins:
        host = o.referrer.removeprefix("https://").split("/")[0]
        default = ("(direct)", "(none)") if not host else (host, _default_medium(o.channel))
        named = o.tagged and o.source
        names.append((o.source, o.medium, o.campaign) if named else (*default, ""))
    # several origins may report under one name, and a key appears once
    select = """select {file} as file, min(n) as n, {order}list_extract($days, day + 1) as date,
            list_extract($source, origin + 1) as source,
            list_extract($medium, origin + 1) as medium,
            nullif(list_extract($campaign, origin + 1), '') as campaign,
            list_extract($devices, device + 1) as device,
            sum(visits)::bigint as visits, sum(visitors)::bigint as visitors,
            sum(new_visitors)::bigint as new_visitors, sum(page_views)::bigint as page_views,
            sum(bounces)::bigint as bounces, sum(duration_seconds)::bigint as {duration}
        from drawn group by all"""
    parameters = {
        "days": span.days,
        "source": [n[0] for n in names],
        "medium": [n[1] for n in names],
        "campaign": [n[2] for n in names],
        "devices": list(DEVICES),
    }
    if firm.product == "atlas":
        write_lines(
            connection,
            select.format(file="list_extract($days, day + 1)", order="", duration="total_seconds"),
            lambda day: data / "traffic" / f"{day}.csv",
            parameters,
            keys=span.days,
        )
        _write_periods(
            firm,
            span,
            visits.count(origins, days),
            {"day": 0.92, "week": 0.8, "month": 0.63, "quarter": 0.5},
            "visitors",
            data / "uniques.csv",
        )
    else:
        write_lines(
            connection,
            select.format(
                file="list_extract($days, day + 1)[:4]", order="", duration="duration_seconds"
            ),
            lambda year: data / f"analytics_{year}.jsonl.gz",
            parameters,
        )


def _default_medium(channel: str) -> str:
    return "organic" if channel == "organic_search" else "referral"


def write_exposure(
    connection: Connection,
    firm: Firm,
    span: Span,
    shown: Exposure,
    rng: np.random.Generator,
    data: Path,
) -> None:
    """Advertising and posts, in the shape each product's source has."""
    arrays = {name: getattr(shown, name) for name in Exposure.__dataclass_fields__}
    _draw(connection, {**arrays, "n": np.arange(len(shown.day))})
    lines = firm.lines
    currency = "USD" if firm.product == "ledgerly" else None
    connection.execute(
        """create or replace temp table booked as
        select n, list_extract($days, day + 1) as day,
            list_extract($channels, line + 1) as channel,
            nullif(list_extract($campaigns, line + 1), '') as campaign,
            list_extract($placements, line + 1) as placement,
            impressions, reach, clicks,
            case when isnan(cost) then null else cost::decimal(18, 2) end as cost
        from drawn""",
        {
            "days": span.days,
            "channels": [line.channel for line in lines],
            "campaigns": [line.campaign for line in lines],
            "placements": [line.placement for line in lines],
        },
    )
    columns = "channel, campaign, placement, impressions, reach, clicks, cost"
    if firm.product == "costa":
        write_lines(
            connection,
            f"select day[:7] as file, n, day as date, {columns} from booked",  # noqa: S608
            lambda month: data / "advertising" / f"{month}.csv",
        )
        own = _by_channel(firm, span, shown)
        _write_market(span, own, rng, data / "market.csv")
    elif firm.product == "ledgerly":
        write_parquet(
            connection,
            f"select day::date as date, {columns}, "  # noqa: S608
            f"case when cost is not null then '{currency}' end as currency "
            "from booked order by n",
            data / "exposure.parquet",
        )
    elif firm.product == "kumo":
        write_lines(
            connection,
            "select day as file, n, day as date, channel, campaign, placement, "
            "impressions as shows, reach, clicks, round(cost)::bigint as cost from booked",
            lambda day: data / "exposure" / f"{day}.jsonl",
            keys=span.days,
        )
    else:
        write_lines(
            connection,
            "select '' as file, n, day, channel, campaign, placement, impressions, reach, "
            "clicks, cost as spend from booked",
            lambda _: data / "advertising.csv.gz",
            delimiter=";",
        )
    if firm.product in ("costa", "atlas"):
        by_line = np.zeros((len(lines), len(span.offsets)), dtype=np.int64)
        by_line[shown.line, shown.day] = shown.impressions
        _write_periods(
            firm,
            span,
            by_line,
            {"day": 0.7, "week": 0.45, "month": 0.3, "quarter": 0.2},
            "reach",
            data / "reach.csv",
            [line.channel for line in lines],
        )


def _by_channel(firm: Firm, span: Span, shown: Exposure) -> dict[str, Ints]:
    found: dict[str, Ints] = {}
    for number, line in enumerate(firm.lines):
        mine = shown.line == number
        days = np.bincount(
            shown.day[mine], weights=shown.impressions[mine], minlength=len(span.offsets)
        )
        found[line.channel] = found.get(line.channel, 0) + days.astype(np.int64)
    return found


def _write_market(
    span: Span,
    own: Mapping[str, Ints],
    rng: np.random.Generator,
    path: Path,
) -> None:
    """What the rest of the market showed, where it is known: paid channels only."""
    rows: list[tuple[object, ...]] = []
    for channel in ("display", "paid_search", "paid_social"):
        usual = float(np.mean(own[channel]))
        market = np.round(usual * 6 * rng.lognormal(0, 0.1, len(span.days))).astype(np.int64)
        rows += [(day, channel, int(n)) for day, n in zip(span.days, market, strict=True)]
    rows.sort()
    _write_rows(path, ("date", "channel", "market_impressions"), rows)


def _write_periods(
    firm: Firm,
    span: Span,
    counts: Ints,
    factors: Mapping[str, float],
    measure: str,
    path: Path,
    channels: Sequence[str] | None = None,
) -> None:
    """Distinct people by product and channel for every period that lies in the span whole."""
    names = channels or [origin.channel for origin in firm.origins]
    totals = {("product", firm.product): counts.sum(axis=0)}
    for channel in dict.fromkeys(names):
        mine = [n for n, name in enumerate(names) if name == channel]
        totals["channel", channel] = counts[mine].sum(axis=0)
    rows: list[tuple[object, ...]] = []
    for grain in GRAINS:
        for period in _periods_in(grain, span):
            low = (period.start - span.first).days
            high = (period.end - span.first).days
            for (kind, scope), total in totals.items():
                people = int(np.ceil(total[low:high].sum() * factors[grain]))
                rows.append((kind, scope, grain, period.start.isoformat(), people))
    _write_rows(path, ("scope_kind", "scope_id", "grain", "period_start", measure), rows)


def _periods_in(grain: Any, span: Span) -> list[Period]:
    periods = []
    day = span.first
    while day <= span.last:
        period = period_of(grain, day, Calendar())
        if period.start >= span.first and period.last_day <= span.last:
            periods.append(period)
        day = period.end
    return periods


def write_users(
    connection: Connection,
    firm: Firm,
    users: Users,
    span: Span,
    signed_up: SignUps,
    done: Activities,
    data: Path,
) -> None:
    """Sign-ups and activities, in the shape each product's source has."""
    arrays = {name: getattr(signed_up, name) for name in SignUps.__dataclass_fields__}
    _draw(connection, {**arrays, "n": np.arange(len(signed_up.at))})
    connection.execute(
        """create or replace temp table joined_up as
        select n, concat($prefix, lpad((n + 1)::varchar, 6, '0')) as user_id,
            make_timestamp("at" * 1000000) as moment,
            list_extract($channels, origin + 1) as channel,
            nullif(list_extract($campaigns, origin + 1), '') as campaign,
            case when invited_by >= 0
                then concat($prefix, lpad((invited_by + 1)::varchar, 6, '0')) end as invited_by
        from drawn""",
        {
            "prefix": users.prefix,
            "channels": [o.channel for o in firm.origins],
            "campaigns": [o.campaign for o in firm.origins],
        },
    )
    arrays = {name: getattr(done, name) for name in Activities.__dataclass_fields__}
    _draw(connection, {**arrays, "n": np.arange(len(done.at))})
    connection.execute(
        """create or replace temp table done as
        select n, concat($prefix, 'a', lpad(to_hex(n), 7, '0')) as event_id,
            concat($prefix, lpad(("user" + 1)::varchar, 6, '0')) as user_id,
            make_timestamp("at" * 1000000) as moment, list_extract($days, day + 1) as day,
            list_extract($kinds, kind + 1) as kind,
            case when value > 0 then value::decimal(18, 2) end as value,
            case when list_extract($kinds, kind + 1) = 'purchase' then $currency end as currency
        from drawn""",
        {
            "prefix": users.prefix,
            "days": span.days,
            "kinds": kinds_of(users),
            "currency": users.currency,
        },
    )
    rest = "channel, campaign, invited_by"
    if firm.product == "costa":
        write_lines(
            connection,
            "select '' as file, n, user_id, "  # noqa: S608
            f"strftime(moment, '%d/%m/%Y %H:%M:%S') as signed_up_at, {rest} from joined_up",
            lambda _: data / "subscribers.csv.gz",
        )
        write_lines(
            connection,
            "select '' as file, n, event_id, user_id, "
            "strftime(moment, '%Y-%m-%dT%H:%M:%SZ') as occurred_at, kind from done",
            lambda _: data / "reading.csv.gz",
        )
    elif firm.product == "ledgerly":
        # the team's own test account signed up first and logs in every day
        write_parquet(
            connection,
            "select * exclude (n) from (select n, user_id, moment as signed_up_at, "  # noqa: S608
            f"{rest} from joined_up union all "
            "select -1, 'L-internal', min(moment), 'direct', null, null from joined_up) order by n",
            data / "users.parquet",
        )
        write_parquet(
            connection,
            "select event_id, user_id, moment as occurred_at, kind, value, currency from ("
            "select * exclude (day) from done union all "
            "select min(n), concat('La-internal-', day), 'L-internal', min(moment), 'login', "
            "null, null from done group by day) order by n, event_id",
            data / "activity.parquet",
        )
    else:
        write_lines(
            connection,
            "select '' as file, n, user_id, "  # noqa: S608
            f"strftime(moment + interval 9 hour, '%Y/%m/%d %H:%M:%S') as registered, {rest} "
            "from joined_up",
            lambda _: data / "sign_ups.csv",
        )
        write_lines(
            connection,
            "select day[:7] as file, n, event_id, user_id, "
            "strftime(moment, '%Y-%m-%dT%H:%M:%SZ') as occurred_at, kind, value, currency "
            "from done",
            lambda month: data / "activity" / f"{month}.jsonl.gz",
        )


def write_content(firm: Firm, span: Span, rng: np.random.Generator, data: Path) -> None:
    """What was published in the span: an item every two and a half days."""
    first, last = int(span.offsets[0]), int(span.offsets[-1])
    numbers = np.arange(
        int(np.ceil(first / ITEMS_EVERY_DAYS)), int((last + 1) / ITEMS_EVERY_DAYS) + 1
    )
    days = np.floor(numbers * ITEMS_EVERY_DAYS).astype(np.int64)
    numbers, days = numbers[days <= last], days[days <= last]
    kinds = rng.choice(len(_TYPES), len(numbers), p=firm.content_mix)
    noon = datetime(EPOCH.year, EPOCH.month, EPOCH.day, 2, tzinfo=UTC)  # the same day in all zones
    offset = 14 if firm.zone == "America/New_York" else 0
    published = [noon + timedelta(days=int(day), hours=offset) for day in days]
    rows = [
        (
            f"{firm.product}-{number}",
            _TYPES[kind],
            f"{at:%Y-%m-%dT%H:%M:%SZ}",
            item_path(firm, int(number)),
        )
        for number, kind, at in zip(numbers, kinds, published, strict=True)
    ]
    names = ("content_id", "content_type", "published_at", "url_path")
    if firm.product == "costa":
        _write_rows(data / "content.jsonl", names, rows)
    elif firm.product == "kumo":
        _write_rows(data / "content.csv", ("id", "made_by", "published", "path"), rows)
    else:
        _write_rows(data / "content.csv", names, rows)


def _write_rows(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
    else:
        lines = [",".join(names), *(",".join(str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _draw(connection: Connection, arrays: Mapping[str, Any]) -> None:
    """Make the arrays the columns of the table `drawn`."""
    connection.register("given_arrays", dict(arrays))
    connection.execute("create or replace temp table drawn as select * from given_arrays")
    connection.unregister("given_arrays")
