{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['traffic']}
) }}

with

traffic_uniques as (
    select * from {{ ref('stg_landing__traffic_uniques') }}
)

select
    source_product_id,
    scope_kind,
    case when scope_kind in ('product', 'channel') then source_product_id else '(all)' end as product_id,
    case when scope_kind = 'product' then source_product_id else scope_id end as scope_id,
    grain,
    visitors,
    new_visitors,
    local_date,
    period_start
from traffic_uniques
