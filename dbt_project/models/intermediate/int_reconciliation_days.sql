{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['page_views', 'traffic']}
) }}

with

slices as (
    select * from {{ ref('stg_landing__slices') }} where feed in ('page_views', 'traffic')
),

visits as (
    select * from {{ ref('int_visits') }}
),

traffic as (
    select * from {{ ref('int_traffic_days') }}
),

days_with_both as (
    select
        product_id,
        day
    from slices
    where
        status = 'landed'
        {% if is_incremental() -%}
        and (product_id, day) in (
            select (t.product_id, t.day)
            from {{ source('landing', 'touched_slices') }} as t
            where t.feed in ('page_views', 'traffic')
        )
        {%- endif %}
    group by all
    having count(*) = 2
),

own as (
    select
        b.product_id,
        b.day,
        v.channel,
        sum(v.page_views) as page_views,
        count(*) as visits
    from days_with_both as b
    inner join visits as v on b.product_id = v.source_product_id and b.day = v.local_date
    group by all
),

reported as (
    select
        b.product_id,
        b.day,
        t.channel,
        sum(t.page_views) as page_views,
        sum(t.visits) as visits,
        bool_and(t.page_views is not null) as has_page_views
    from days_with_both as b
    inner join traffic as t on b.product_id = t.source_product_id and b.day = t.local_date
    group by all
),

-- a page view is the same to everybody, a visit is not; visits stand in where nothing else is told
measures_chosen as (
    select
        product_id,
        day,
        case when bool_and(has_page_views) then 'page_views' else 'visits' end as measure
    from reported
    group by all
),

channels_joined as (
    select
        coalesce(o.product_id, r.product_id) as product_id,
        coalesce(o.day, r.day) as day,
        coalesce(o.channel, r.channel) as channel,
        coalesce(o.page_views, 0) as own_page_views,
        coalesce(o.visits, 0) as own_visits,
        coalesce(r.page_views, 0) as reported_page_views,
        coalesce(r.visits, 0) as reported_visits
    from own as o
    full join reported as r on o.product_id = r.product_id and o.day = r.day and o.channel = r.channel
),

totals_added as (
    select * from channels_joined
    union all
    select
        product_id,
        day,
        '(all)' as channel,
        sum(own_page_views) as own_page_views,
        sum(own_visits) as own_visits,
        sum(reported_page_views) as reported_page_views,
        sum(reported_visits) as reported_visits
    from channels_joined
    group by product_id, day
)

select
    t.product_id as source_product_id,
    t.channel,
    coalesce(m.measure, 'visits') as measure,
    (case when m.measure = 'page_views' then t.own_page_views else t.own_visits end)::bigint as own,
    (case when m.measure = 'page_views' then t.reported_page_views else t.reported_visits end)::bigint as reported,
    t.day as local_date
from totals_added as t
left join measures_chosen as m on t.product_id = m.product_id and t.day = m.day
