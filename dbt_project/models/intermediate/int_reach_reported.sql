{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['exposure']}
) }}

with

exposure_reach as (
    select * from {{ ref('stg_landing__exposure_reach') }}
)

select
    source_product_id,
    scope_kind,
    {{ reported_scope() }},
    grain,
    reach,
    local_date,
    period_start
from exposure_reach
