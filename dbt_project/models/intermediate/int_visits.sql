{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['page_views']}
) }}

with

page_views as (
    select * from {{ ref('int_page_views_visited') }}
    {% if is_incremental() -%}
    where (source_product_id, local_date) in (
        select (product_id, day) from {{ source('landing', 'touched_slices') }} where feed = 'page_views'
    )
    {%- endif %}
),

entries as (
    select
        *,
        hash(utm_source, utm_medium, utm_campaign, click_id, referrer_host) as source_key
    from page_views
    where is_entry
),

sources as (
    select distinct source_key, utm_source, utm_medium, utm_campaign, click_id, referrer_host
    from entries
),

channels as (
    {{ channel_of() }}
),

visits_measured as (
    select
        source_product_id,
        local_date,
        visitor_id,
        visit_number,
        count(*) as page_views,
        date_diff('millisecond', min(occurred_at), max(occurred_at)) as duration_milliseconds
    from page_views
    group by all
)

select
    e.source_product_id,
    e.visitor_id,
    e.visit_number,
    e.path as entry_path,
    e.device,
    c.channel,
    coalesce(e.utm_campaign, '(not set)') as campaign,
    v.page_views,
    v.duration_milliseconds,
    {{ is_bounce('v.page_views') }} as is_bounce,
    e.local_date,
    e.occurred_at as started_at
from entries as e
inner join visits_measured as v
    on
        e.source_product_id = v.source_product_id
        and e.local_date = v.local_date
        and e.visitor_id = v.visitor_id
        and e.visit_number = v.visit_number
inner join channels as c on e.source_key = c.source_key
