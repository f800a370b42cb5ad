{{ config(
    materialized='incremental', incremental_strategy='first_days',
    meta={'reach': 'first_days', 'feeds': ['page_views']}
) }}

with

entity_days as (
    select
        product_id,
        entity,
        local_date
    from {{ ref('int_visitor_days_scoped') }}
    where scope_kind in ('company', 'product')
),

{{ first_days_of_entities(['page_views']) }}
