with

exposure as (
    select * from {{ source('landing', 'exposure') }}
)

select
    product_id,
    local_date,
    channel,
    campaign,
    placement,
    content_id,
    currency,
    impressions,
    reach,
    clicks,
    cost
from exposure
