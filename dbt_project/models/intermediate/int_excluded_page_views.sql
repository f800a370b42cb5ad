{{ config(materialized='by_batch', meta={'feeds': ['page_views']}) }}

with

page_views as (
    select * from {{ ref('stg_landing__page_views') }} where is_excluded and {{ in_batch() }}
)

select
    product_id as source_product_id,
    count(*) as excluded_page_views,
    local_date
from page_views
group by all
