with

profiles as (
    select * from {{ ref('int_user_profiles') }}
)

select
    cell_key,
    source_product_id,
    channel,
    campaign,
    min(least(signed_up_on, first_active_day)) as first_day
from profiles
group by all
