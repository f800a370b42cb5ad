{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views']}
) }}

with

page_days as (
    select * from {{ ref('int_page_days') }}
),

page_visitor_days as (
    select * from {{ ref('int_page_visitor_days') }}
),

pages as (
    select * from {{ ref('int_pages') }}
),

prefixes as (
    select
        source_product_id,
        path_key,
        unnest(string_split(prefixes, chr(31))) as prefix
    from {{ ref('int_page_prefixes') }}
),

calendar as (
    select max(day) as last_day from {{ ref('int_calendar_days') }}
),

-- pages have values of periods that are over
period_days as (
    select
        d.grain,
        d.period_start,
        d.period_end,
        d.last_day,
        d.as_of_date as local_date
    from {{ ref('int_period_days') }} as d
    inner join {{ ref('int_periods_touched') }} as t
        on d.grain = t.grain and d.period_start = t.period_start and t.layer = 'values'
    where d.last_day <= (select c.last_day from calendar as c)
),

summed as (
    select
        d.source_product_id,
        d.path_key,
        p.grain,
        p.period_start,
        sum(d.page_views) as page_views,
        sum(d.entries) as entries,
        sum(d.bounces) as bounces
    from page_days as d
    inner join period_days as p on d.local_date = p.local_date
    group by all
),

ranked as (
    select
        s.*,
        g.path,
        row_number() over (
            partition by s.source_product_id, s.grain, s.period_start order by s.page_views desc, g.path
        ) <= {{ var('pages_kept') }} as is_kept
    from summed as s
    inner join pages as g on s.path_key = g.path_key
),

-- a prefix is written with a star, for a page may have the same path
members as (
    select
        source_product_id,
        path_key,
        grain,
        period_start,
        case when is_kept then path else '(other)' end as page,
        page_views,
        entries,
        bounces,
        is_kept as is_counted
    from ranked
    union all
    select
        r.source_product_id,
        r.path_key,
        r.grain,
        r.period_start,
        x.prefix || '/*' as page,
        r.page_views,
        r.entries,
        r.bounces,
        true as is_counted
    from ranked as r
    inner join prefixes as x on r.source_product_id = x.source_product_id and r.path_key = x.path_key
),

visitors_counted as (
    select
        m.source_product_id,
        m.page,
        m.grain,
        m.period_start,
        count(distinct v.visitor_key) as unique_visitors
    from members as m
    inner join period_days as p on m.grain = p.grain and m.period_start = p.period_start
    inner join page_visitor_days as v
        on
            m.source_product_id = v.source_product_id
            and m.path_key = v.path_key
            and p.local_date = v.local_date
    where m.is_counted
    group by all
),

added as (
    select
        source_product_id,
        page,
        grain,
        period_start,
        sum(page_views) as page_views,
        sum(entries) as entries,
        sum(bounces) as bounces
    from members
    group by all
)

select
    a.source_product_id as product_id,
    a.page,
    a.grain,
    a.page_views::bigint as page_views,
    v.unique_visitors::bigint as unique_visitors,
    a.entries::bigint as entries,
    a.bounces::bigint as bounces,
    a.period_start
from added as a
left join visitors_counted as v
    on
        a.source_product_id = v.source_product_id
        and a.page = v.page
        and a.grain = v.grain
        and a.period_start = v.period_start
