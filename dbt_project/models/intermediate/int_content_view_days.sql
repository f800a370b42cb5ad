{{ config(materialized='by_batch', meta={'feeds': ['page_views']}) }}

with

page_views as (
    select * from {{ ref('stg_landing__page_views') }} where {{ in_batch() }} and not is_excluded and content_id is not null
),

urls as (
    select * from {{ ref('stg_landing__urls') }}
)

select
    v.product_id as source_product_id,
    {{ key_of('v.content_id') }} as content_key,
    u.path_key,
    count(*)::bigint as page_views,
    v.local_date
from page_views as v
inner join urls as u on v.url_key = u.url_key
group by all
