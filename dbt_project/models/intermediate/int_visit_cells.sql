{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['page_views']}
) }}

with

visitor_cells as (
    select * from {{ ref('int_visitor_cells') }}
    where {{ is_in_touched_slices('page_views') }}
)

select
    source_product_id,
    cell_key,
    any_value(channel) as channel,
    any_value(campaign) as campaign,
    any_value(device) as device,
    any_value(prefixes) as prefixes,
    sum(page_views)::bigint as page_views,
    sum(visits)::bigint as visits,
    sum(bounces)::bigint as bounces,
    sum(duration_milliseconds)::bigint as duration_milliseconds,
    local_date
from visitor_cells
group by source_product_id, local_date, cell_key
