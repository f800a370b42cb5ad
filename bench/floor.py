"""The floor: what the pipeline publishes of page views, by hand, in the fewest scans found.

One script for one company, without dbt, without the states that make tomorrow cheap, without
completeness, comparisons, limits, drivers, reports and checks: what is left is the work that cannot
be left out. It reads the landed files batch by batch of days, which is faster than all at once, and
writes page views, visits, their ratios and distinct visitors of every scope and grain, months and
quarters to date included, to a DuckDB file. `differing` holds its figures against the pipeline's.
"""

# ruff: noqa: S608, E501  # SQL, made of constants and of paths of our own
from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from bench.company import PRODUCTS

BATCH_DAYS = 10
KEPT_PAGES = 200
KPIS = (
    "page_views",
    "unique_visitors",
    "visits",
    "new_visitor_share",
    "bounce_rate",
    "pages_per_visit",
    "average_visit_duration_seconds",
    "entries",
    "excluded_page_views",
)
NAMES = ", ".join(f"'{name}'" for name in PRODUCTS)
TEAMS = "['content', 'user', 'business', 'new_media', 'promotion']"

#: Entry channel by the company's rules, for the tags and referrers its data hold.
CHANNEL = """case
    when u.medium = 'cpc' then 'paid_search' when u.medium = 'display' then 'display'
    when u.medium = 'email' then 'email' when u.medium = 'social' then 'social'
    when r.host is null then 'direct'
    when r.host in ('google.com', 'baidu.com') then 'organic_search'
    when r.host in ('facebook.com', 'weibo.com') then 'social'
    else 'referral' end"""

#: Who owns what: person, position of the team, and a condition on a cell.
OWNERS = (
    ("p0", 1, "product = 0"),
    ("p1", 2, "product = 1"),
    ("p2", 3, "product = 2"),
    ("p3", 4, "product = 3"),
    ("p4", 5, "channel = 'email'"),
    ("p5", 1, "channel = 'social'"),
    ("p6", 2, "channel = 'organic_search' and product = 0"),
    ("p7", 3, "campaign = 'c7'"),
    ("p8", 4, "product = 0 and prefix = '/guides' or product = 1 and prefix = '/news'"),
    ("p9", 5, "channel = 'paid_search' or product = 2 and prefix = '/help'"),
)
OWNED_PREFIX = (
    "(product = 0 and prefix = '/guides' or product = 1 and prefix = '/news' "
    "or product = 2 and prefix = '/help')"
)
VISITOR_DAY = "product, day, visitor"


def plain(landing: Path, memory: str) -> None:
    """What nobody can do without: page views and distinct visitors by product and day."""
    with duckdb.connect(config={"memory_limit": memory, "threads": 2}) as connection:
        connection.execute(
            "select product_id, local_date, count(*), count(distinct visitor_id) "
            f"from read_parquet('{landing}/feed=page_views/*/*/*.parquet', "
            "hive_partitioning = false) group by 1, 2"
        ).fetchall()


def build(landing: Path, days: Sequence[date], out: Path, memory: str) -> None:
    """Write `fct_kpi_values` of these days, which follow each other, to `out`."""
    out.unlink(missing_ok=True)
    with duckdb.connect(str(out), config={"memory_limit": memory, "threads": 2}) as connection:
        _make_calendar(connection, days)
        _make_tables(connection)
        for start in range(0, len(days), BATCH_DAYS):
            _read(connection, landing, days[start : start + BATCH_DAYS])
        _number_scopes(connection)
        _count_visitors(connection)
        _count_pages(connection)
        _sum_up(connection)
        connection.execute("checkpoint")


def _make_calendar(connection: duckdb.DuckDBPyConnection, days: Sequence[date]) -> None:
    connection.execute(
        f"""create temp table calendar as
        select d::date as day, date_trunc('week', d)::date as week,
            date_trunc('month', d)::date as month, date_trunc('quarter', d)::date as quarter
        from generate_series(timestamp '{days[0]}', timestamp '{days[-1]}', interval 1 day) as t(d)
        """
    )
    # a week belongs to the quarter it ends in; bit 0 is the first day of the week a quarter begins in
    connection.execute(
        f"""create temp table periods as
        select grain, start, stop, q.quarter, date_trunc('week', q.quarter)::date as bit_0,
            ((1::hugeint << (stop - start)::integer) - 1) << (start - bit_0)::integer as bits,
            stop - 1 <= date '{days[-1]}' as is_over
        from (select distinct 'day' as grain, day as start, day + 1 as stop from calendar
            union all select distinct 'week', week, week + 7 from calendar
            union all select distinct 'month', month, (month + interval 1 month)::date from calendar
            union all select distinct 'quarter', quarter, (quarter + interval 3 month)::date
            from calendar) as p
        join (select distinct quarter from calendar) as q
            on q.quarter = date_trunc('quarter', stop - 1)"""
    )
    connection.execute(
        """create temp table bits as
        select distinct c.day, p.quarter, 1::hugeint << (c.day - p.bit_0)::integer as bit
        from calendar as c join periods as p
            on p.grain in ('week', 'quarter') and p.start <= c.day and c.day < p.stop"""
    )


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """What batches leave behind."""
    cell = "product utinyint, channel varchar, campaign varchar, device varchar, prefix varchar"
    measures = "page_views bigint, visits bigint, bounces bigint, milliseconds bigint"
    for name, columns in {
        "excluded": "product utinyint, day date, views bigint",
        "paths": "page ubigint, path varchar, prefix varchar",
        "pages_seen": "product utinyint, page ubigint, visitor ubigint, day date, views integer",
        "pages_entered": "product utinyint, page ubigint, day date, entries bigint, bounces bigint",
        "cell_days": f"{cell}, day date, {measures}",
        "cells_seen": f"{cell}, quarter date, visitor ubigint, days hugeint",
        "firsts": "product utinyint, visitor ubigint, first_day date",
    }.items():
        connection.execute(f"create temp table {name}({columns})")


def _read(connection: duckdb.DuckDBPyConnection, landing: Path, days: Sequence[date]) -> None:
    """One batch: page views → visits → what was seen by cell, and by page, visitor and day."""
    run = connection.execute
    files = [
        str(path)
        for day in days
        for product in PRODUCTS
        for path in (landing / "feed=page_views" / f"product={product}" / f"day={day}").glob(
            "page_views-*.parquet"
        )
    ]
    landed = f"read_parquet({files}, hive_partitioning = false)"
    run(
        f"""create or replace temp table views as
        select (list_position([{NAMES}], product_id) - 1)::utinyint as product, local_date as day,
            hash((list_position([{NAMES}], product_id) - 1) // 2, md5_number(visitor_id)) as visitor,
            hash(md5_number(event_id)) as event, hash(md5_number(url)) as url_no,
            hash(md5_number(referrer)) as referrer_no, device, occurred_at as "at", is_bot
        from {landed}"""
    )
    repeated = run("select 1 from views group by product, day, event having count(*) > 1 limit 1")
    if repeated.fetchone():
        raise ValueError("the company is made without repeated events")
    run(
        f"""create or replace temp table urls as
        select hash(md5_number(url)) as url_no, hash(md5_number(path)) as page, path,
            '/' || split_part(path, '/', 2) as prefix, tags,
            regexp_extract(tags, 'utm_medium=([^&]*)', 1) as medium,
            regexp_extract(tags, 'utm_campaign=([^&]*)', 1) as campaign
        from (select url, '/' || array_to_string(string_split(split_part(url, '?', 1), '/')[4:], '/')
                as path, nullif(split_part(url, '?', 2), '') as tags
            from (select distinct url from {landed}))"""
    )
    run(
        "insert into paths select distinct page, path, prefix from urls anti join paths using (page)"
    )
    run(
        f"""create or replace temp table referrers as
        select hash(md5_number(referrer)) as referrer_no,
            regexp_replace(split_part(referrer, '/', 3), '^www[.]', '') as host
        from (select distinct referrer from {landed} where referrer is not null)
        where host = 'blog.example' or not host like '%.example'"""
    )
    run("insert into excluded select product, day, count(*) from views where is_bot group by all")
    run(
        """create or replace temp table people as
        select v.* exclude (is_bot), u.page, u.prefix, hash(u.tags) as campaign_no, u.tags is not null
            as is_tagged
        from views as v join urls as u using (url_no) where not v.is_bot"""
    )
    run(
        "insert into pages_seen select product, page, visitor, day, count(*) from people group by all"
    )
    run(
        f"""create or replace temp table visitor_days as
        select {VISITOR_DAY}, count(*)::integer as views, min("at") as began, max("at") as ended,
            arg_min({{'url_no': url_no, 'referrer_no': referrer_no, 'device': device}},
                (epoch_us("at")::hugeint << 64) | event) as entry,
            views > 1 and (bool_or(is_tagged) or ended - began > interval 30 minutes) as may_be_split
        from people group by all"""
    )
    run(
        f"""create or replace temp table numbered as
        with paused as (
            select p.*, coalesce("at" - lag("at") over w > interval 30 minutes, true) as is_after_pause
            from people as p semi join (from visitor_days where may_be_split) as d
                on p.product = d.product and p.day = d.day and p.visitor = d.visitor
            window w as (partition by {VISITOR_DAY} order by "at", event)),
        stretched as (
            select *, count_if(is_after_pause) over w as stretch from paused
            window w as (partition by {VISITOR_DAY} order by "at", event rows unbounded preceding)),
        entered as (
            select *, is_after_pause or (is_tagged and campaign_no is distinct from
                last_value(case when is_tagged then campaign_no end ignore nulls) over w) as is_entry
            from stretched
            window w as (partition by {VISITOR_DAY}, stretch order by "at", event
                rows between unbounded preceding and 1 preceding))
        select *, (count_if(is_entry) over w)::integer as visit from entered
        window w as (partition by {VISITOR_DAY} order by "at", event rows unbounded preceding)"""
    )
    run(
        f"""create or replace temp table visits as
        with begun as (
            select {VISITOR_DAY}, 1 as visit, views, began, ended, unnest(entry)
            from visitor_days where not may_be_split
            union all by name
            select {VISITOR_DAY}, visit, views, began, ended, unnest(entry) from (
                select {VISITOR_DAY}, visit, count(*)::integer as views, min("at") as began,
                    max("at") as ended, arg_min({{'url_no': url_no, 'referrer_no': referrer_no,
                        'device': device}}, (epoch_us("at")::hugeint << 64) | event) as entry
                from numbered group by all))
        select {VISITOR_DAY}, visit, views, epoch_ms(ended) - epoch_ms(began) as milliseconds, device,
            u.page, {CHANNEL} as channel, coalesce(nullif(u.campaign, ''), '(not set)') as campaign,
            case when {OWNED_PREFIX} then u.prefix else '' end as entered_by
        from begun join urls as u using (url_no) left join referrers as r using (referrer_no)"""
    )
    run(
        "insert into pages_entered select product, page, day, count(*), count_if(views = 1) "
        "from visits group by all"
    )
    # what a visit saw under an owned prefix it did not enter by stands in a cell of that prefix
    run(
        f"""create or replace temp table elsewhere as
        select {VISITOR_DAY}, visit, prefix, count(*)::integer as views
        from (select {VISITOR_DAY}, visit, prefix from numbered
            union all by name select {VISITOR_DAY}, 1 as visit, prefix from people as p
            anti join (from visitor_days where may_be_split) as d
                on p.product = d.product and p.day = d.day and p.visitor = d.visitor)
        where {OWNED_PREFIX} group by all"""
    )
    run(
        f"""create or replace temp table parts as
        with away as (
            select {VISITOR_DAY}, visit, sum(views)::integer as away from elsewhere group by all),
        shown as (
            select v.*, v.views - coalesce(a.away, 0) as left_over
            from visits as v left join away as a using ({VISITOR_DAY}, visit))
        select {VISITOR_DAY}, channel, campaign, device, '' as prefix, left_over as views,
            (entered_by = '')::integer as visits, (entered_by = '' and views = 1)::integer as bounces,
            case when entered_by = '' then milliseconds else 0 end as milliseconds
        from shown where entered_by = '' or left_over > 0
        union all
        select {VISITOR_DAY}, channel, campaign, device, s.prefix, s.views,
            (entered_by = s.prefix)::integer, (entered_by = s.prefix and v.views = 1)::integer,
            case when entered_by = s.prefix then milliseconds else 0 end
        from elsewhere as s join visits as v using ({VISITOR_DAY}, visit)"""
    )
    run(
        """insert into cell_days
        select product, channel, campaign, device, prefix, day, sum(views), sum(visits), sum(bounces),
            sum(milliseconds) from parts group by all"""
    )
    run(
        """insert into cells_seen
        select product, channel, campaign, device, prefix, quarter, visitor, bit_or(bit)
        from parts join bits using (day) group by all"""
    )
    run("insert into firsts select product, visitor, min(day) from visitor_days group by all")


def _number_scopes(connection: duckdb.DuckDBPyConnection) -> None:
    """Cells, the scopes each counts in, and a number for each scope."""
    connection.execute(
        """create temp table cells as select *, row_number() over () as cell from (
        select distinct product, channel, campaign, device, prefix from cell_days)"""
    )
    name = f"([{NAMES}])[product + 1]"
    owned = " union ".join(
        f"select cell, kind, '(all)', id from cells, (values ('person', '{person}'), "
        f"('team', ({TEAMS})[{team}])) as t(kind, id) where {condition}"
        for person, team, condition in OWNERS
    )
    connection.execute(
        f"""create temp table scopes as
        select *, dense_rank() over (order by kind, product_id, id)::usmallint as scope from (
        select cell, 'company' as kind, '(all)' as product_id, '(all)' as id from cells
        union all select cell, 'product', {name}, {name} from cells
        union all select cell, 'channel', {name}, channel from cells
        union all select cell, 'channel', '(all)', channel from cells
        union all select cell, 'campaign', {name}, campaign from cells
        union all select cell, 'device', {name}, device from cells
        union all ({owned}))"""
    )


def _count_visitors(connection: duckdb.DuckDBPyConnection) -> None:
    """`uniques`: visitors of every scope and period, by the day of it on which they first came."""
    connection.execute(
        """create temp table masks as
        select s.scope, c.quarter, c.visitor, bit_or(c.days) as days
        from (select k.cell, c.quarter, c.visitor, bit_or(c.days) as days from cells_seen as c
            join cells as k using (product, channel, campaign, device, prefix) group by all) as c
        join scopes as s using (cell) group by all"""
    )
    connection.execute(
        f"""create temp table known as
        select product_id, visitor, min(first_day) as first_day from (
            select unnest([([{NAMES}])[product + 1], '(all)']) as product_id, visitor, first_day
            from firsts) group by all"""
    )
    connection.execute(
        """create temp table seen as
        select m.*, coalesce(f.first_day, date '0001-01-01') as first_day
        from masks as m join (select distinct scope, product_id from scopes) as s using (scope)
        join known as f on s.product_id = f.product_id and m.visitor = f.visitor"""
    )
    # bits 0, 32, 64 and 96 are four counters in one number: 32 sums count the bits of all days
    lanes = "79228162532711081671548469249"
    days = ", ".join(f"sum((days >> {n}) & {lanes})" for n in range(32))
    weeks = ", ".join(f"sum((began >> {n}) & {lanes})" for n in range(32))
    connection.execute(
        f"""create temp table uniques as
        with counted as (
            select scope, quarter, [{days}] as of_days, [{weeks}] as of_weeks
            from (select scope, quarter, days, two | (two >> 2) | (two >> 4) | (days >> 6) as began
                from (select *, days | (days >> 1) as two from seen)) group by all),
        short as (
            select scope, grain, start, stop - 1 as day, (start - bit_0)::integer as bit,
                ((case grain when 'day' then of_days else of_weeks end)[bit % 32 + 1]
                    >> (32 * (bit // 32))::integer) & 4294967295 as visitors
            from counted as c join periods as t on c.quarter = t.quarter
                and t.grain in ('day', 'week') where visitors > 0),
        newcomers as (
            select scope, grain, start, count(*) as newcomers
            from seen as s join periods as t on s.quarter = t.quarter and t.grain in ('day', 'week')
                and t.start <= s.first_day and s.first_day < t.stop and s.days & t.bits <> 0
            group by all)
        select s.* exclude (bit), coalesce(newcomers, 0) as newcomers from short as s
        left join newcomers using (scope, grain, start)
        union all
        select scope, grain, start,
            bit_0 + bit_count((days & bits & -(days & bits)) - 1)::integer as day, count(*),
            count_if(t.start <= first_day and first_day < t.stop)
        from seen as s join periods as t
            on s.quarter = t.quarter and t.grain in ('month', 'quarter') and s.days & t.bits <> 0
        group by all"""
    )


def _count_pages(connection: duckdb.DuckDBPyConnection) -> None:
    """`page_values`: the most viewed pages of each product and period, and every owned prefix."""
    run = connection.execute
    run(
        """create temp table page_days as
        select s.*, coalesce(e.entries, 0) as entries, coalesce(e.bounces, 0) as bounces
        from (select product, page, day, sum(views)::bigint as page_views, count(*) as visitors
            from pages_seen group by all) as s
        left join pages_entered as e using (product, page, day)"""
    )
    run(
        f"""create temp table members as
        with summed as (
            select product, page, grain, start, any_value(p.quarter) as quarter,
                any_value(bits) as bits, any_value(bit_0) as bit_0, sum(page_views) as page_views,
                sum(entries) as entries, sum(bounces) as bounces
            from page_days as d join periods as p
                on p.is_over and p.start <= d.day and d.day < p.stop group by all),
        ranked as (
            select s.*, path, prefix, row_number() over (partition by product, grain, start
                order by page_views desc, path) <= {KEPT_PAGES} as is_kept
            from summed as s join paths using (page))
        select * exclude (prefix, path), case when is_kept then path else '(other)' end as id
        from ranked
        union all by name
        select * exclude (prefix, path) replace (true as is_kept), prefix || '/*' as id
        from ranked where {OWNED_PREFIX}"""
    )
    run(
        """create temp table page_masks as
        select product, id, quarter, visitor, bit_or(bit) as days
        from pages_seen join bits using (day)
        join (select distinct product, page, id from members
            where is_kept and (grain <> 'day' or id like '%/*')) using (product, page)
        group by all"""
    )
    run(
        """create temp table page_patterns as
        select product, id, quarter, days, count(*) as visitors from page_masks group by all"""
    )
    run(
        """create temp table page_values as
        with visitors as (
            select product, id, grain, start, sum(visitors) as visitors
            from page_patterns as s join periods as p on s.quarter = p.quarter and p.is_over
                and (grain <> 'day' or id like '%/*') and s.days & p.bits <> 0 group by all
            union all
            select product, path, 'day', day, visitors from page_days join paths using (page))
        select product, id, grain, start, sum(page_views)::bigint as page_views,
            any_value(v.visitors) as visitors, sum(entries)::bigint as entries,
            sum(bounces)::bigint as bounces
        from members as m left join visitors as v using (product, id, grain, start) group by all"""
    )


def _sum_up(connection: duckdb.DuckDBPyConnection) -> None:
    """`fct_kpi_values`: sums to date, ratios of sums, one row for each KPI that has a value."""
    run = connection.execute
    run(
        """create temp table scope_days as
        select scope, day, sum(page_views) as page_views, sum(visits) as visits,
            sum(bounces) as bounces, sum(milliseconds) as milliseconds
        from cell_days join cells using (product, channel, campaign, device, prefix)
        join scopes using (cell) group by all"""
    )
    run(
        """create temp table kpi_rows as
        with spine as (
            select s.scope, p.grain, p.start, c.day, p.stop
            from (select distinct scope from scopes) as s cross join periods as p
            join calendar as c on p.start <= c.day and c.day < p.stop),
        summed as (
            select s.*, sum(page_views) over w as page_views, sum(visits) over w as visits,
                sum(bounces) over w as bounces, sum(milliseconds) over w / 1000 as seconds,
                sum(u.visitors) over w as unique_visitors, sum(u.newcomers) over w as new_visitors
            from spine as s left join scope_days as d using (scope, day)
            left join uniques as u using (scope, grain, start, day)
            window w as (partition by s.scope, s.grain, s.start order by s.day
                rows unbounded preceding))
        select k.kind, k.product_id, k.id, m.* from summed as m
        join (select distinct scope, kind, product_id, id from scopes) as k using (scope)
        where visits > 0 and (day = stop - 1
            or grain in ('month', 'quarter') and kind not in ('campaign', 'device'))"""
    )
    run(
        f"""create table fct_kpi_values as
        with rows as (
            select kind as scope_kind, product_id, id as scope_id, grain, start as period_start,
                day as as_of_date, page_views::double as page_views,
                unique_visitors::double as unique_visitors, visits::double as visits,
                new_visitors / unique_visitors as new_visitor_share, bounces / visits as bounce_rate,
                page_views / visits as pages_per_visit,
                seconds / visits as average_visit_duration_seconds
            from kpi_rows
            union all by name
            select 'page' as scope_kind, ([{NAMES}])[product + 1] as product_id, v.id as scope_id,
                v.grain, v.start as period_start, p.stop - 1 as as_of_date,
                v.page_views::double as page_views, v.visitors::double as unique_visitors,
                v.entries::double as entries,
                case when v.id <> '(other)' then v.bounces / nullif(v.entries, 0) end as bounce_rate
            from page_values as v join periods as p using (grain, start)
            union all by name
            select kind as scope_kind, id as product_id, id as scope_id, grain,
                start as period_start, e.day as as_of_date,
                (sum(views) over (partition by id, grain, start order by e.day))::double
                    as excluded_page_views
            from (select t.kind, t.id, c.day, coalesce(sum(x.views), 0) as views
                from (select distinct kind, id from excluded, (values
                    ('product', ([{NAMES}])[product + 1]), ('company', '(all)')) as t(kind, id)) as t
                cross join calendar as c
                left join excluded as x on c.day = x.day
                    and t.id in (([{NAMES}])[x.product + 1], '(all)') group by all) as e
            join periods as p on p.start <= e.day and e.day < p.stop
            qualify e.day = p.stop - 1 or grain in ('month', 'quarter'))
        unpivot rows on {", ".join(KPIS)} into name kpi_id value value"""
    )


def differing(floor: Path, warehouse: Path) -> list[tuple[object, ...]]:
    """KPI, scope kind and grain: rows only here, rows with a value only in the pipeline, rows whose
    values differ. Empty when both say the same."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{floor}' as f (read_only)")
        connection.execute(f"attach '{warehouse}' as w (read_only)")
        return connection.execute(
            f"""select coalesce(f.kpi_id, w.kpi_id) as kpi_id, coalesce(f.scope_kind, w.scope_kind),
                coalesce(f.grain, w.grain), count_if(w.kpi_id is null) as only_here,
                count_if(f.kpi_id is null) as only_there,
                count_if(abs(f.value - w.value) > 1e-9 * greatest(1, abs(w.value))) as different
            from f.fct_kpi_values as f
            full join (from w.kpis.fct_kpi_values where kpi_id in {KPIS} and value <> 0) as w
                using (kpi_id, product_id, scope_kind, scope_id, grain, period_start, as_of_date)
            where coalesce(f.value, 1) <> 0
            group by all having only_here + only_there + different > 0 order by all"""
        ).fetchall()
