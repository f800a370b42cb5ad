{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['user_growth']}
) }}

with

activity as (
    select * from {{ ref('stg_landing__activity') }}
),

kinds as (
    select * from {{ ref('stg_organisation__activity_kinds') }} where is_active
)

select distinct
    a.product_id as source_product_id,
    hash(a.user_id) as user_key,
    a.local_date
from activity as a
inner join kinds as k on a.kind = k.kind
