{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['user_growth']}
) }}

with

activity as (
    select * from {{ ref('stg_landing__activity') }}
),

kinds as (
    select * from {{ ref('stg_organisation__activity_kinds') }}
)

-- a day on which a user did at least one thing of a kind that counts as active
select distinct
    a.product_id as source_product_id,
    a.user_id,
    a.local_date
from activity as a
inner join kinds as k on a.kind = k.kind
where k.is_active
