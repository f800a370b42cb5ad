{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['user_growth']}
) }}

with

users as (
    select * from {{ ref('stg_landing__users') }}
)

select
    product_id as source_product_id,
    user_id,
    channel,
    campaign,
    is_excluded,
    local_date,
    signed_up_at
from users
