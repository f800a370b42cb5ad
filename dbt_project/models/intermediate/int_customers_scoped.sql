with

transactions as (
    select * from {{ ref('int_transactions_summed') }} where orders > 0
),

users as (
    select * from {{ ref('int_users_known') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

memberships as (
    select * from {{ ref('int_memberships') }}
),

period_days as (
    select * from {{ ref('int_period_days') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

-- between two changes of what anybody owns, days are alike
ownership_changes as (
    select valid_from as changed_on from memberships
    union
    select valid_to as changed_on from memberships
),

days as (
    select
        d.grain,
        d.period_start,
        d.as_of_date as local_date,
        coalesce(max(c.changed_on), date '0001-01-01') as alike_since
    from period_days as d
    inner join touched as t on d.grain = t.grain and d.period_start = t.period_start
    left join ownership_changes as c on d.as_of_date >= c.changed_on
    group by all
),

first_orders_in_period as (
    select
        d.grain,
        d.period_start,
        d.alike_since,
        t.source_product_id,
        t.user_key,
        min(t.local_date) as local_date
    from transactions as t
    inner join days as d on t.local_date = d.local_date
    group by all
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
        f.grain,
        f.period_start,
        f.alike_since,
        f.source_product_id,
        f.user_key,
        hash(p.identity_space, f.user_key) as space_user_key,
        coalesce(u.channel, '(not set)') as channel,
        coalesce(u.campaign, '(not set)') as campaign,
        f.local_date
    from first_orders_in_period as f
    inner join products as p on f.source_product_id = p.product_id
    left join users_keyed as u on f.source_product_id = u.source_product_id and f.user_key = u.user_key
),

cells as (
    select distinct
        source_product_id as product_id,
        alike_since as local_date,
        channel,
        campaign
    from celled
),

scopes as (
    {{ cell_scopes(sparse=['campaign']) }}
),

-- a customer counts on the first day of the period they ordered; customers to date are sums of these
scoped as (
    select
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        c.grain,
        c.period_start,
        case when s.scope_product_id = '(all)' then c.space_user_key else c.user_key end as entity,
        min(c.local_date) as local_date
    from celled as c
    inner join scopes as s
        on
            c.source_product_id = s.product_id
            and c.alike_since = s.local_date
            and c.channel = s.channel
            and c.campaign = s.campaign
    group by all
)

select
    s.scope_kind,
    s.product_id,
    s.scope_id,
    s.grain,
    count(*) as customers,
    s.period_start,
    s.local_date
from scoped as s
group by all
