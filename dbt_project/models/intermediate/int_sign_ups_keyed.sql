{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['user_growth']}
) }}

with

users as (
    select * from {{ ref('stg_landing__users') }} where not is_excluded
)

select
    product_id as source_product_id,
    hash(user_id) as user_key,
    case when invited_by is not null then hash(invited_by) end as inviter_key,
    local_date
from users
