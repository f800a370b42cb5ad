with

user_days as (
    select * from {{ ref('int_user_days') }}
),

users as (
    select * from {{ ref('int_users_known') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

-- the periods before the touched ones and the trailing 28 days are needed to judge the touched ones
window_start as (
    select least(min(p.preceding_start), (min(p.period_start) - interval 27 day)::date) as day
    from touched as t
    inner join periods as p on t.grain = p.grain and t.period_start = p.period_start
    where t.layer = 'values'
),

channels_known as (
    select
        d.source_product_id,
        p.identity_space,
        d.user_id,
        coalesce(u.channel, '(not set)') as channel,
        coalesce(u.campaign, '(not set)') as campaign,
        d.local_date
    from user_days as d
    inner join products as p on d.source_product_id = p.product_id
    left join users as u on d.source_product_id = u.source_product_id and d.user_id = u.user_id
    where d.local_date >= (select w.day from window_start as w)
),

cells as (
    select distinct
        source_product_id as product_id,
        local_date,
        channel,
        campaign
    from channels_known
),

scopes as (
    {{ cell_scopes() }}
)

select distinct
    s.scope_kind,
    s.scope_product_id as product_id,
    s.scope_id,
    case
        when s.scope_product_id = '(all)' then d.identity_space || ':' || d.user_id
        else d.user_id
    end as entity,
    d.local_date
from channels_known as d
inner join scopes as s
    on
        d.source_product_id = s.product_id
        and d.local_date = s.local_date
        and d.channel = s.channel
        and d.campaign = s.campaign
