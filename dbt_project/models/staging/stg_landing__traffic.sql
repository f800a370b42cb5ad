with

traffic as (
    select * from {{ source('landing', 'traffic') }}
)

select
    product_id,
    local_date,
    source as utm_source,
    medium as utm_medium,
    campaign,
    device,
    visits,
    visitors,
    new_visitors,
    page_views,
    bounces,
    duration_seconds
from traffic
