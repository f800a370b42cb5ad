{{ config(
    materialized='incremental', incremental_strategy='first_days',
    meta={'reach': 'first_days', 'feeds': ['user_growth']}
) }}

with

populations as (
    select * from {{ ref('int_populations') }}
),

days_seen as (
    select source_product_id, user_key, local_date from {{ ref('int_active_days') }}
    union all
    select source_product_id, user_key, local_date from {{ ref('int_sign_ups_keyed') }}
    union all
    select source_product_id, user_key, local_date from {{ ref('int_transactions_summed') }} where orders > 0
),

entity_days as (
    select
        p.population as product_id,
        d.user_key as entity,
        d.local_date
    from days_seen as d
    inner join populations as p on d.source_product_id = p.source_product_id
)

{% if is_incremental() -%}
,

touched_days as (
    select distinct day from {{ source('landing', 'touched_slices') }} where feed = 'user_growth'
),

-- who was known before the touched days stays known since then
moved as (
    select
        e.product_id,
        e.entity
    from entity_days as e
    left join {{ this }} as k on e.product_id = k.product_id and e.entity = k.entity
    where e.local_date in (select t.day from touched_days as t) and (k.first_day is null or k.first_day > e.local_date)
    union
    select
        k.product_id,
        k.entity
    from {{ this }} as k
    where k.first_day in (select t.day from touched_days as t)
)

select
    e.product_id,
    e.entity,
    min(e.local_date) as first_day
from entity_days as e
inner join moved as m on e.product_id = m.product_id and e.entity = m.entity
group by all
{%- else -%}
select
    product_id,
    entity,
    min(local_date) as first_day
from entity_days
group by all
{%- endif %}
