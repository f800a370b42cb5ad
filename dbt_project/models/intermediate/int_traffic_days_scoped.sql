{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['traffic']}
) }}

with

traffic as (
    select * from {{ ref('int_traffic_days') }}
    {% if is_incremental() -%}
    where (source_product_id, local_date) in (
        select (product_id, day) from {{ source('landing', 'touched_slices') }} where feed = 'traffic'
    )
    {%- endif %}
),

cells as (
    select distinct
        source_product_id as product_id,
        local_date,
        channel,
        campaign,
        device
    from traffic
),

scopes as (
    {{ cell_scopes(columns=['channel', 'campaign', 'device'], sparse=['campaign', 'device']) }}
)

select
    t.source_product_id,
    s.scope_kind,
    s.scope_product_id as product_id,
    s.scope_id,
    sum(t.visits)::bigint as visits,
    sum(t.page_views)::bigint as page_views,
    sum(t.bounces)::bigint as bounces,
    sum(t.duration_milliseconds)::bigint as duration_milliseconds,
    t.local_date
from traffic as t
inner join scopes as s
    on
        t.source_product_id = s.product_id
        and t.local_date = s.local_date
        and t.channel = s.channel
        and t.campaign = s.campaign
        and t.device = s.device
group by all
