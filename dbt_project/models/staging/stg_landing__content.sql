with

content as (
    select * from {{ source('landing', 'content') }}
)

select
    product_id as source_product_id,
    {{ key_of('content_id') }} as content_key,
    content_type,
    case when url_path is not null then {{ key_of(page_path('url_path')) }} end as path_key,
    local_date
from content
