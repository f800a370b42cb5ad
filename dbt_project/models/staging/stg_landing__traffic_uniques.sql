with

traffic_uniques as (
    select * from {{ source('landing', 'traffic_uniques') }}
)

select
    product_id as source_product_id,
    scope_kind,
    scope_id,
    grain,
    visitors,
    new_visitors,
    local_date,
    period_start
from traffic_uniques
