{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['page_views', 'traffic']}
) }}

with

visits as (
    select * from {{ ref('int_visits') }}
    {% if is_incremental() -%}
    where (source_product_id, local_date) in (
        select (product_id, day) from {{ source('landing', 'touched_slices') }} where feed in ('page_views', 'traffic')
    )
    {%- endif %}
),

traffic as (
    select * from {{ ref('int_traffic_days') }}
    {% if is_incremental() -%}
    where (source_product_id, local_date) in (
        select (product_id, day) from {{ source('landing', 'touched_slices') }} where feed in ('page_views', 'traffic')
    )
    {%- endif %}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

counted as (
    select
        source_product_id,
        'own' as traffic_source,
        channel,
        campaign,
        count(*) as visits,
        local_date
    from visits
    group by all
    union all
    select
        source_product_id,
        'backend' as traffic_source,
        channel,
        campaign,
        sum(visits)::bigint as visits,
        local_date
    from traffic
    group by all
)

-- each product's visits come from the feed its traffic_source names
select
    c.source_product_id,
    c.channel,
    c.campaign,
    c.visits,
    c.local_date
from counted as c
inner join products as p on c.source_product_id = p.product_id and c.traffic_source = p.traffic_source
