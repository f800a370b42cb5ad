{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views', 'user_growth']}
) }}

with

published as (
    select * from {{ ref('int_content_published') }}
),

view_days as (
    select * from {{ ref('int_content_view_days') }}
),

page_days as (
    select * from {{ ref('int_page_days') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

calendar as (
    select max(day) as last_day from {{ ref('int_calendar_days') }}
),

-- content has values of periods that are over
period_days as (
    select
        d.grain,
        d.period_start,
        d.as_of_date as local_date
    from {{ ref('int_period_days') }} as d
    inner join {{ ref('int_periods_touched') }} as t
        on d.grain = t.grain and d.period_start = t.period_start and t.layer = 'values'
    where d.last_day <= (select c.last_day from calendar as c)
),

window_start as (
    select min(period_start) as day from period_days
),

-- what is published again is the same content
items as (
    select
        source_product_id,
        content_key,
        arg_min(content_type, local_date) as content_type,
        min(local_date) as first_day
    from published
    group by all
),

-- a page is what was first published on it
paths as (
    select
        source_product_id,
        path_key,
        arg_min(content_type, (local_date, content_type)) as content_type,
        min(local_date) as first_day
    from published
    where path_key is not null
    group by all
),

viewed_by_id as (
    select
        v.source_product_id,
        v.path_key,
        i.content_type,
        v.page_views,
        v.local_date
    from view_days as v
    inner join items as i
        on
            v.source_product_id = i.source_product_id
            and v.content_key = i.content_key
            and i.first_day <= v.local_date
    where v.local_date >= (select w.day from window_start as w)
),

counted_by_id as (
    select
        source_product_id,
        path_key,
        local_date,
        sum(page_views) as page_views
    from viewed_by_id
    group by all
),

-- page views without a known content count for what their page holds
viewed_by_path as (
    select
        d.source_product_id,
        p.content_type,
        d.page_views - coalesce(c.page_views, 0) as page_views,
        d.local_date
    from page_days as d
    inner join paths as p
        on
            d.source_product_id = p.source_product_id
            and d.path_key = p.path_key
            and p.first_day <= d.local_date
    left join counted_by_id as c
        on d.source_product_id = c.source_product_id and d.path_key = c.path_key and d.local_date = c.local_date
    where d.local_date >= (select w.day from window_start as w)
),

told as (
    select
        source_product_id,
        content_type,
        1 as content_items,
        0 as page_views,
        first_day as local_date
    from items
    where first_day >= (select w.day from window_start as w)
    union all by name
    select
        source_product_id,
        content_type,
        0 as content_items,
        page_views,
        local_date
    from viewed_by_id
    union all by name
    select
        source_product_id,
        content_type,
        0 as content_items,
        page_views,
        local_date
    from viewed_by_path
),

summed as (
    select
        t.source_product_id,
        t.content_type,
        p.grain,
        p.period_start,
        sum(t.content_items) as content_items,
        sum(t.page_views) as page_views
    from told as t
    inner join period_days as p on t.local_date = p.local_date
    group by all
),

-- where there was anything, a type of the mix that had nothing has a row that says so
types as (
    select
        source_product_id,
        content_type,
        grain,
        period_start
    from summed
    union
    select
        s.source_product_id,
        m.content_type,
        s.grain,
        s.period_start
    from summed as s
    cross join ({{ content_mix() }}) as m
)

select
    t.source_product_id as product_id,
    t.content_type,
    t.grain,
    coalesce(s.content_items, 0)::bigint as content_items,
    (sum(s.content_items) over period)::bigint as content_items_of_all,
    case when o.traffic_source = 'own' then coalesce(s.page_views, 0) end::bigint as page_views,
    case when o.traffic_source = 'own' then sum(s.page_views) over period end::bigint as page_views_of_all,
    t.period_start
from types as t
inner join products as o on t.source_product_id = o.product_id
left join summed as s
    on
        t.source_product_id = s.source_product_id
        and t.content_type = s.content_type
        and t.grain = s.grain
        and t.period_start = s.period_start
window period as (partition by t.source_product_id, t.grain, t.period_start)
