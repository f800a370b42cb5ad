with

users as (
    select * from {{ ref('int_users_known') }}
),

cells as (
    select distinct
        source_product_id as product_id,
        local_date,
        channel,
        campaign
    from users
),

scopes as (
    {{ cell_scopes() }}
),

scoped as (
    select
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        case
            when s.scope_product_id = '(all)' then u.identity_space || ':' || u.user_id
            else u.user_id
        end as entity,
        min(u.local_date) as local_date
    from users as u
    inner join scopes as s
        on
            u.source_product_id = s.product_id
            and u.local_date = s.local_date
            and u.channel = s.channel
            and u.campaign = s.campaign
    group by all
)

select
    scope_kind,
    product_id,
    scope_id,
    count(*) as sign_ups,
    local_date
from scoped
group by all
