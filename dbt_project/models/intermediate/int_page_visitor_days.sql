{{ config(materialized='by_batch', meta={'feeds': ['page_views']}) }}

with

page_views as (
    select * from {{ ref('stg_landing__page_views') }} where not is_excluded and {{ in_batch() }}
),

urls as (
    select * from {{ ref('stg_landing__urls') }}
)

select
    v.product_id as source_product_id,
    u.path_key,
    v.visitor_key,
    count(*)::integer as page_views,
    v.local_date
from page_views as v
inner join urls as u on v.url_key = u.url_key
group by all
