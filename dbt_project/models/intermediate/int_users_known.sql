with

users as (
    select * from {{ ref('int_users') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

first_sign_ups as (
    select *
    from users
    where not is_excluded
    qualify row_number() over (
        partition by source_product_id, user_id order by signed_up_at, local_date, channel, campaign
    ) = 1
)

-- one row per product and user: the first sign-up is the one that counts
select
    f.source_product_id,
    p.identity_space,
    f.user_id,
    f.channel,
    f.campaign,
    f.local_date,
    f.signed_up_at
from first_sign_ups as f
inner join products as p on f.source_product_id = p.product_id
