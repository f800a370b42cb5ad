with

users as (
    select * from {{ ref('int_users') }}
)

select
    source_product_id,
    count(*) as excluded_sign_ups,
    local_date
from users
where is_excluded
group by all
