with

transactions as (
    select * from {{ ref('int_transactions_summed') }}
),

users as (
    select * from {{ ref('int_users_known') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

company as (
    select * from {{ ref('stg_organisation__company') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

rates as (
    select
        currency,
        rate,
        valid_from,
        lead(valid_from, 1, date '9999-12-31') over (partition by currency order by valid_from) as valid_to
    from {{ ref('stg_organisation__exchange_rates') }}
),

users_keyed as (
    select
        source_product_id,
        hash(user_id) as user_key,
        channel,
        campaign
    from users
),

-- an order belongs to the channel and campaign its user signed up by
celled as (
    select
        t.source_product_id as product_id,
        t.local_date,
        coalesce(u.channel, '(not set)') as channel,
        coalesce(u.campaign, '(not set)') as campaign,
        t.currency,
        sum(t.orders)::bigint as orders,
        sum(t.orders_with_value)::bigint as orders_with_value,
        sum(t.order_value) as order_value,
        sum(t.points_issued) as points_issued,
        sum(t.points_redeemed) as points_redeemed
    from transactions as t
    left join users_keyed as u on t.source_product_id = u.source_product_id and t.user_key = u.user_key
    where t.local_date >= (select min(p.period_start) from touched as p)
    group by all
),

rated as (
    select
        c.*,
        p.margin_share,
        p.point_cost,
        p.currency as product_currency,
        {{ rate_of('r', 'c.currency', 'f.currency') }} as rate,
        {{ rate_of('t', 'p.currency', 'f.currency') }} as product_rate
    from celled as c
    inner join products as p on c.product_id = p.product_id
    cross join company as f
    left join rates as r
        on c.currency = r.currency and r.valid_from <= c.local_date and c.local_date < r.valid_to
    left join rates as t
        on p.currency = t.currency and t.valid_from <= c.local_date and c.local_date < t.valid_to
),

cells as (
    select distinct
        product_id,
        local_date,
        channel,
        campaign
    from rated
),

scopes as (
    {{ cell_scopes(sparse=['campaign']) }}
),

scoped as (
    select
        s.scope_kind,
        s.scope_product_id,
        s.scope_id,
        case
            when s.scope_product_id = '(all)' then r.rate
            when r.currency = r.product_currency then 1
            else r.rate / r.product_rate
        end as value_rate,
        case when s.scope_product_id = '(all)' then r.product_rate else 1 end * r.point_cost as redeemed_point_cost,
        r.*
    from rated as r
    inner join scopes as s
        on
            r.product_id = s.product_id
            and r.local_date = s.local_date
            and r.channel = s.channel
            and r.campaign = s.campaign
),

-- a currency is never added to another: without a dated rate its orders' value is unknown, not zero
converted as (
    select
        *,
        case when orders_with_value > 0 then order_value * value_rate end::decimal(38, 6) as revenue,
        case when points_redeemed <> 0 then points_redeemed * redeemed_point_cost else 0 end::decimal(38, 6)
            as points_cost
    from scoped
)

select
    product_id as source_product_id,
    scope_kind,
    scope_product_id as product_id,
    scope_id,
    channel,
    campaign,
    currency,
    case when orders_with_value > 0 and revenue is null then case when rate is null then currency else product_currency end end
        as currency_without_rate,
    orders,
    orders_with_value,
    revenue,
    (revenue * margin_share)::decimal(38, 6) as gross_profit,
    points_issued,
    points_redeemed,
    points_cost,
    points_cost is null as has_redemption_without_cost,
    revenue is not null and margin_share is null as has_order_without_margin,
    local_date
from converted
