with

exposure as (
    select * from {{ ref('int_exposure_days_scoped') }} where {{ is_dense('scope_kind') }} or scope_kind = 'campaign'
),

visits as (
    select * from {{ ref('int_visits_counted') }}
),

users as (
    select * from {{ ref('int_users_known') }}
),

revenue as (
    select * from {{ ref('int_revenue_days_scoped') }}
),

new_customers as (
    select * from {{ ref('int_new_customers_scoped') }}
),

product_feeds as (
    select * from {{ ref('int_product_feeds') }}
),

slices as (
    select * from {{ ref('stg_landing__slices') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

window_start as (
    select min(period_start) as day from touched
),

landed as (
    select
        f.product_id,
        s.day,
        bool_or(f.feed = 'exposure') as has_exposure,
        bool_or(f.feed = 'visits') as has_visits,
        bool_or(f.feed = 'user_growth') as has_users
    from product_feeds as f
    inner join slices as s on f.product_id = s.product_id and f.landed_as = s.feed and s.status = 'landed'
    where f.feed in ('exposure', 'visits', 'user_growth')
    group by all
),

visits_in_view as (
    select *
    from visits
    where local_date >= (select w.day from window_start as w)
),

-- who signed up in view, with all their sign-ups in the identity space: the first of a scope counts
sign_ups as (
    select u.*
    from users as u
    where
        (u.identity_space, u.user_id) in (
            select (n.identity_space, n.user_id)
            from users as n
            where n.local_date >= (select w.day from window_start as w)
        )
),

cells as (
    select
        source_product_id as product_id,
        local_date,
        channel,
        campaign
    from visits_in_view
    union
    select
        source_product_id as product_id,
        local_date,
        channel,
        campaign
    from sign_ups
),

scopes as (
    {{ cell_scopes(sparse=['campaign']) }}
),

visits_scoped as (
    select
        v.source_product_id,
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        sum(v.visits)::bigint as visits,
        v.local_date
    from visits_in_view as v
    inner join scopes as s
        on
            v.source_product_id = s.product_id
            and v.local_date = s.local_date
            and v.channel = s.channel
            and v.campaign = s.campaign
    group by all
),

first_sign_ups as (
    select
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        min((u.local_date, u.source_product_id)) as first_sign_up
    from sign_ups as u
    inner join scopes as s
        on
            u.source_product_id = s.product_id
            and u.local_date = s.local_date
            and u.channel = s.channel
            and u.campaign = s.campaign
    group by s.scope_kind, s.scope_product_id, s.scope_id, u.identity_space, u.user_id
),

sign_ups_scoped as (
    select
        first_sign_up[2] as source_product_id,
        scope_kind,
        product_id,
        scope_id,
        count(*) as sign_ups,
        first_sign_up[1] as local_date
    from first_sign_ups
    group by all
),

measures as (
    select
        source_product_id,
        scope_kind,
        product_id,
        scope_id,
        local_date,
        impressions,
        cost,
        rows_without_rate
    from exposure
    where local_date >= (select w.day from window_start as w)
    union all by name
    select * from visits_scoped
    union all by name
    select * from sign_ups_scoped
    where local_date >= (select w.day from window_start as w)
    union all by name
    select
        source_product_id,
        scope_kind,
        product_id,
        scope_id,
        local_date,
        orders,
        orders_with_value,
        revenue,
        gross_profit,
        currency_without_rate,
        orders_without_margin
    from revenue
    union all by name
    select * from new_customers
),

summed as (
    select
        source_product_id,
        scope_kind,
        product_id,
        scope_id,
        local_date,
        count(impressions) as exposures,
        sum(cost) as cost,
        coalesce(sum(rows_without_rate), 0) as rows_without_rate,
        coalesce(sum(visits), 0) as visits,
        coalesce(sum(sign_ups), 0) as sign_ups,
        coalesce(sum(new_customers), 0) as new_customers,
        coalesce(sum(gross_profit), 0) as gross_profit,
        coalesce(sum(orders), 0) as orders,
        coalesce(sum(orders_with_value), 0) as orders_with_value,
        -- an order whose value is not known in the scope's currency, or of a product without a margin
        count(currency_without_rate) + coalesce(sum(orders_without_margin), 0) as profits_unknown
    from measures
    group by all
)

select
    s.source_product_id,
    s.scope_kind,
    s.product_id,
    s.scope_id,
    l.has_exposure and l.has_visits as is_cost_beside_visits,
    l.has_users and l.has_visits as is_users_beside_visits,
    l.has_exposure and l.has_users as is_cost_beside_users,
    s.exposures,
    s.cost,
    s.rows_without_rate,
    s.visits,
    s.sign_ups,
    s.new_customers,
    s.gross_profit,
    s.orders,
    s.orders_with_value,
    s.profits_unknown,
    s.local_date
from summed as s
inner join landed as l on s.source_product_id = l.product_id and s.local_date = l.day
