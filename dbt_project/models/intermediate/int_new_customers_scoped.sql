with

transactions as (
    select * from {{ ref('int_transactions_summed') }} where orders > 0
),

first_days as (
    select * from {{ ref('int_order_first_days') }}
),

users as (
    select * from {{ ref('int_users_known') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

order_days as (
    select distinct
        t.source_product_id,
        t.user_key,
        hash(p.identity_space, t.user_key) as space_user_key,
        t.local_date
    from transactions as t
    inner join products as p on t.source_product_id = p.product_id
    where t.local_date >= (select min(c.period_start) from touched as c)
),

-- on the day of a first order ever, of the product or of the identity space
first_orders as (
    select
        d.source_product_id,
        d.user_key,
        d.space_user_key,
        o.entity is not null as is_first_of_product,
        f.entity is not null as is_first_of_space,
        d.local_date
    from order_days as d
    left join first_days as o
        on d.source_product_id = o.product_id and d.user_key = o.entity and d.local_date = o.first_day
    left join first_days as f
        on f.product_id = '(all)' and d.space_user_key = f.entity and d.local_date = f.first_day
    where o.entity is not null or f.entity is not null
),

users_keyed as (
    select
        source_product_id,
        hash(user_id) as user_key,
        channel,
        campaign
    from users
),

celled as (
    select
        f.*,
        coalesce(u.channel, '(not set)') as channel,
        coalesce(u.campaign, '(not set)') as campaign
    from first_orders as f
    left join users_keyed as u on f.source_product_id = u.source_product_id and f.user_key = u.user_key
),

cells as (
    select distinct
        source_product_id as product_id,
        local_date,
        channel,
        campaign
    from celled
),

scopes as (
    {{ cell_scopes(sparse=['campaign']) }}
),

-- who orders in two products of the space on that day counts once, in the first by name
scoped as (
    select
        min(c.source_product_id) as source_product_id,
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        c.space_user_key,
        c.local_date
    from celled as c
    inner join scopes as s
        on
            c.source_product_id = s.product_id
            and c.local_date = s.local_date
            and c.channel = s.channel
            and c.campaign = s.campaign
    where case when s.scope_product_id = '(all)' then c.is_first_of_space else c.is_first_of_product end
    group by s.scope_kind, s.scope_product_id, s.scope_id, c.space_user_key, c.local_date
)

select
    source_product_id,
    scope_kind,
    product_id,
    scope_id,
    count(*) as new_customers,
    local_date
from scoped
group by all
