with

exposure_reach as (
    select * from {{ source('landing', 'exposure_reach') }}
)

select
    product_id as source_product_id,
    scope_kind,
    scope_id,
    grain,
    reach,
    local_date,
    period_start
from exposure_reach
