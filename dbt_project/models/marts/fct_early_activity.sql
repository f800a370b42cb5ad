with

profiles as (
    select * from {{ ref('int_user_profiles') }} where signed_up_on is not null
),

thresholds as (
    select
        product_id,
        max(value) filter (where name = 'early_activity_share') as tolerance,
        max(value) filter (where name = 'early_activity_smallest_base') as smallest_base
    from {{ ref('stg_landing__thresholds') }}
    where feed = 'user_growth'
    group by product_id
),

counted as (
    select
        source_product_id as product_id,
        count(*) as sign_ups,
        count(*) filter (where first_active_day < signed_up_on) as early_users,
        signed_up_on as local_date
    from profiles
    group by source_product_id, signed_up_on
)

select
    c.product_id,
    c.sign_ups,
    c.early_users,
    c.early_users / c.sign_ups as early_share,
    t.tolerance,
    t.smallest_base,
    c.local_date
from counted as c
inner join thresholds as t on c.product_id = t.product_id
