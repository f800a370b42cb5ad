with

exposure_market as (
    select * from {{ source('landing', 'exposure_market') }}
)

select
    product_id as source_product_id,
    channel,
    market_impressions,
    local_date
from exposure_market
