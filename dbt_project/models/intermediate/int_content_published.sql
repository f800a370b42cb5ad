{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['user_growth']}
) }}

with

content as (
    select * from {{ ref('stg_landing__content') }}
)

select
    source_product_id,
    content_key,
    content_type,
    path_key,
    local_date
from content
