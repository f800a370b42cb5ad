{{ config(
    materialized='incremental', incremental_strategy='first_days',
    meta={'reach': 'first_days', 'feeds': ['user_growth']}
) }}

with

user_days as (
    select * from {{ ref('int_user_days') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

entity_days as (
    select
        source_product_id as product_id,
        user_id as entity,
        local_date
    from user_days
    union all
    select
        '(all)' as product_id,
        p.identity_space || ':' || d.user_id as entity,
        d.local_date
    from user_days as d
    inner join products as p on d.source_product_id = p.product_id
),

{{ first_days_of_entities(['user_growth']) }}
