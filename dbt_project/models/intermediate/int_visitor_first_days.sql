{{ config(
    materialized='incremental', incremental_strategy='kept_first_days',
    meta={'reach': 'first_days', 'feeds': ['page_views']}
) }}

with

visitor_cells as (
    select * from {{ ref('int_visitor_cells') }}
),

products as (
    select
        product_id as source_product_id,
        identity_space
    from {{ ref('stg_organisation__products') }}
),

seen_now as (
    select
        source_product_id,
        visitor_key,
        min(local_date) as first_day
    from visitor_cells
    where {{ is_in_touched_slices('page_views') }}
    group by all
),

{% if is_incremental() -%}
known as (
    select * from {{ this }} where product_id <> '(all)'
),

touched as (
    select product_id, day from {{ source('landing', 'touched_slices') }} where feed = 'page_views'
),

-- who was first seen on a day that is redone, and is no longer seen there, is looked for in all days
to_look_up as (
    select
        k.product_id,
        k.visitor_key
    from known as k
    semi join touched as t on k.product_id = t.product_id and k.first_day = t.day
    left join seen_now as n on k.product_id = n.source_product_id and k.visitor_key = n.visitor_key
    where n.first_day is null or n.first_day > k.first_day
),

looked_up as (
    select
        v.source_product_id,
        v.visitor_key,
        min(v.local_date) as first_day
    from visitor_cells as v
    inner join to_look_up as u on v.source_product_id = u.product_id and v.visitor_key = u.visitor_key
    group by all
),

moved as (
    select
        n.source_product_id as product_id,
        n.visitor_key,
        n.first_day
    from seen_now as n
    left join known as k on n.source_product_id = k.product_id and n.visitor_key = k.visitor_key
    left join to_look_up as u on n.source_product_id = u.product_id and n.visitor_key = u.visitor_key
    where u.visitor_key is null and (k.first_day is null or n.first_day < k.first_day)
    union all
    select * from looked_up
    union all
    -- whoever is seen nowhere any more keeps no row
    select
        u.product_id,
        u.visitor_key,
        null as first_day
    from to_look_up as u
    anti join looked_up as l on u.product_id = l.source_product_id and u.visitor_key = l.visitor_key
),

products_kept as (
    select
        m.product_id,
        m.visitor_key,
        m.first_day
    from moved as m
    union all
    select
        k.product_id,
        k.visitor_key,
        k.first_day
    from known as k
    semi join moved as m on k.visitor_key = m.visitor_key
    anti join moved as m on k.product_id = m.product_id and k.visitor_key = m.visitor_key
)
{%- else -%}
products_kept as (
    select
        source_product_id as product_id,
        visitor_key,
        first_day
    from seen_now
)
{%- endif %}

select
    product_id,
    visitor_key,
    first_day
from products_kept
union all
select
    '(all)' as product_id,
    visitor_key,
    min(first_day) as first_day
from products_kept
group by visitor_key
