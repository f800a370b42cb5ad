{{ config(
    materialized='incremental', incremental_strategy='first_days',
    meta={'reach': 'first_days', 'feeds': ['user_growth']}
) }}

with

order_days as (
    select distinct
        source_product_id,
        user_key,
        local_date
    from {{ ref('int_transactions_summed') }}
    where orders > 0
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

entity_days as (
    select
        source_product_id as product_id,
        user_key as entity,
        local_date
    from order_days
    union all
    select
        '(all)' as product_id,
        hash(p.identity_space, d.user_key) as entity,
        d.local_date
    from order_days as d
    inner join products as p on d.source_product_id = p.product_id
),

{{ first_days_of_entities(['user_growth']) }}
