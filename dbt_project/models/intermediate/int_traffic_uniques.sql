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
    {{ reported_scope() }},
    grain,
    visitors,
    new_visitors,
    local_date,
    period_start
from traffic_uniques
