{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['user_growth']}
) }}

with

activity as (
    select * from {{ ref('stg_landing__activity') }}
),

kinds as (
    select * from {{ ref('stg_organisation__activity_kinds') }} where is_order or points is not null
),

products as (
    select * from {{ ref('stg_organisation__products') }}
)

select
    a.product_id as source_product_id,
    hash(a.user_id) as user_key,
    {{ user_key('p.identity_space', 'a.user_id') }} as person_key,
    {{ user_key('a.product_id', 'a.user_id') }} as member_key,
    coalesce(a.currency, p.currency) as currency,
    count_if(k.is_order) as orders,
    count_if(k.is_order and a.value is not null) as orders_with_value,
    coalesce(sum(a.value) filter (where k.is_order), 0)::decimal(38, 4) as order_value,
    coalesce(sum(a.value) filter (where k.points = 'issued'), 0)::decimal(38, 4) as points_issued,
    coalesce(sum(a.value) filter (where k.points = 'redeemed'), 0)::decimal(38, 4) as points_redeemed,
    a.local_date
from activity as a
inner join kinds as k on a.kind = k.kind
inner join products as p on a.product_id = p.product_id
group by all
