{{ config(materialized='by_batch', meta={'feeds': ['page_views']}) }}

with

page_visitor_days as (
    select * from {{ ref('int_page_visitor_days') }}
    where {{ in_touched_batch('page_views') }}
),

visits as (
    select * from {{ ref('int_visits') }}
    where {{ in_touched_batch('page_views') }}
),

viewed as (
    select
        source_product_id,
        path_key,
        sum(page_views) as page_views,
        count(*) as visitors,
        local_date
    from page_visitor_days
    group by all
),

entered as (
    select
        source_product_id,
        entry_path_key as path_key,
        count(*) as entries,
        count_if(is_bounce) as bounces,
        local_date
    from visits
    group by all
)

select
    v.source_product_id,
    v.path_key,
    v.page_views::bigint as page_views,
    v.visitors::bigint as visitors,
    coalesce(e.entries, 0)::bigint as entries,
    coalesce(e.bounces, 0)::bigint as bounces,
    v.local_date
from viewed as v
left join entered as e
    on v.source_product_id = e.source_product_id and v.local_date = e.local_date and v.path_key = e.path_key
