{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['page_views']}
) }}

with

visit_cells as (
    select * from {{ ref('int_visit_cells') }}
    where {{ is_in_touched_slices('page_views') }}
),

cells as (
    select
        source_product_id as product_id,
        local_date,
        channel,
        campaign,
        device,
        prefixes
    from visit_cells
),

scopes as (
    {{ cell_scopes(columns=['channel', 'campaign', 'device', 'prefixes'], sparse=['campaign', 'device']) }}
)

select
    c.source_product_id,
    s.scope_kind,
    s.scope_product_id as product_id,
    s.scope_id,
    sum(c.page_views)::bigint as page_views,
    sum(c.visits)::bigint as visits,
    sum(c.bounces)::bigint as bounces,
    sum(c.duration_milliseconds)::bigint as duration_milliseconds,
    c.local_date
from visit_cells as c
inner join scopes as s
    on
        c.source_product_id = s.product_id
        and c.local_date = s.local_date
        and c.channel = s.channel
        and c.campaign = s.campaign
        and c.device = s.device
        and c.prefixes = s.prefixes
group by all
