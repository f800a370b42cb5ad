{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['user_growth']}
) }}
{%- set block_days = 60 %}

with

populations as (
    select * from {{ ref('int_populations') }}
),

first_seen as (
    select
        product_id as population,
        entity as user_key,
        first_day
    from {{ ref('int_user_first_seen') }}
),

days as (
    select period_start as day
    from {{ ref('int_periods_touched') }}
    where layer = 'values' and grain = 'day'
),

span as (
    select
        min(day) as first_day,
        max(day) as last_day
    from days
),

-- active days as bits of a block of days and the 28 before it
blocks as (
    select
        s.first_day + b.number * {{ block_days }} as block_start,
        s.first_day + b.number * {{ block_days }} + {{ block_days - 1 }} as block_end
    from span as s
    cross join lateral (
        select unnest(range((s.last_day - s.first_day) // {{ block_days }} + 1))::integer as number
    ) as b
),

active_days as (
    select
        p.population,
        a.user_key,
        b.block_start,
        bit_or(1::hugeint << (a.local_date - b.block_start + 28)) as days_active
    from {{ ref('int_active_days') }} as a
    inner join populations as p on a.source_product_id = p.source_product_id
    inner join blocks as b on a.local_date between b.block_start - 28 and b.block_end
    group by all
),

-- who can change: who is active in the block or the 28 days before it, or was new in it
in_view as (
    select
        f.population,
        f.user_key,
        f.first_day,
        b.block_start,
        b.block_end,
        coalesce(a.days_active, 0)::hugeint as days_active
    from first_seen as f
    cross join blocks as b
    left join active_days as a
        on f.population = a.population and f.user_key = a.user_key and b.block_start = a.block_start
    where
        f.first_day <= b.block_end
        and (a.days_active is not null or f.first_day >= b.block_start - {{ var('lifecycle_new_days') }})
),

invitations as (
    select
        p.population,
        u.inviter_key,
        u.user_key,
        min(u.local_date) as local_date
    from {{ ref('int_sign_ups_keyed') }} as u
    inner join populations as p on u.source_product_id = p.source_product_id
    where u.inviter_key is not null
    group by all
),

invitations_counted as (
    select
        population,
        inviter_key as user_key,
        local_date,
        count(*) over (partition by population, inviter_key order by local_date) as invited
    from invitations
),

-- the day from which somebody has brought in as many as an opinion leader does
inviters as (
    select
        population,
        user_key,
        min(local_date) as inviter_since
    from invitations_counted
    where invited >= {{ var('lifecycle_opinion_leader_invitations') }}
    group by all
),

activity_labels as (
    select
        v.population,
        v.user_key,
        d.day,
        {% for label, ago in [('from_label', 1), ('to_label', 0)] -%}
        {{ activity_label(
            '(d.day - ' ~ ago ~ ' - v.first_day)',
            'bit_count((v.days_active >> (d.day - v.block_start + 1 - ' ~ ago ~ ')::integer) & ((1::hugeint << 28) - 1))',
            'coalesce(i.inviter_since <= d.day - ' ~ ago ~ ', false)'
        ) }} as {{ label }}{{ "," if not loop.last }}
        {% endfor %}
    from in_view as v
    inner join days as d on d.day between v.block_start and v.block_end
    left join inviters as i on v.population = i.population and v.user_key = i.user_key
),

order_days as (
    select
        p.population,
        t.user_key,
        t.local_date,
        sum(t.orders)::bigint as orders
    from {{ ref('int_transactions_summed') }} as t
    inner join populations as p on t.source_product_id = p.source_product_id
    where t.orders > 0
    group by all
),

-- who can change: who ordered in the span, or whose last order then is as old as a label lasts
buyers_in_view as (
    select distinct
        o.population,
        o.user_key
    from order_days as o
    cross join span as s
    where
        {% for age in [0, var('lifecycle_lapsing_days'), var('lifecycle_lost_days')] -%}
        o.local_date + {{ age }} between s.first_day and s.last_day{{ " or " if not loop.last }}
        {% endfor %}
),

orders_in_order as (
    select
        o.*,
        sum(o.orders) over user_orders as orders_to_date,
        lag(o.local_date) over user_orders as previous_day,
        lead(o.local_date, 1, date '9999-12-31') over user_orders as next_day
    from order_days as o
    inner join buyers_in_view as b on o.population = b.population and o.user_key = b.user_key
    window user_orders as (partition by o.population, o.user_key order by o.local_date)
),

first_orders as (
    select
        population,
        user_key,
        min(local_date) as first_order_day
    from order_days
    group by all
),

buyer_labels as (
    select
        o.population,
        o.user_key,
        o.local_date as day,
        case
            when o.previous_day is null and f.first_day = o.local_date then '(none)'
            else {{ buyer_label('(o.orders_to_date - o.orders)', '(o.local_date - o.previous_day - 1)') }}
        end as from_label,
        {{ buyer_label('o.orders_to_date', '0') }} as to_label
    from orders_in_order as o
    inner join first_seen as f on o.population = f.population and o.user_key = f.user_key
    {% for age in [var('lifecycle_lapsing_days'), var('lifecycle_lost_days')] -%}
    union all
    select
        population,
        user_key,
        local_date + {{ age }} as day,
        {{ buyer_label('orders_to_date', age - 1) }} as from_label,
        {{ buyer_label('orders_to_date', age) }} as to_label
    from orders_in_order
    where next_day > local_date + {{ age }}
    {% endfor -%}
    union all
    select
        f.population,
        f.user_key,
        f.first_day as day,
        '(none)' as from_label,
        {{ buyer_label('0', 'null') }} as to_label
    from first_seen as f
    left join first_orders as o on f.population = o.population and f.user_key = o.user_key
    where f.first_day >= (select s.first_day from span as s) and f.first_day is distinct from o.first_order_day
),

values_by_day as (
    select * from {{ ref('int_user_values') }}
),

valued as (
    {{ tiers_of('values_by_day') }}
),

value_labels as (
    select
        coalesce(n.population, b.population) as population,
        coalesce(n.user_key, b.user_key) as user_key,
        coalesce(n.day, b.day + 1) as day,
        coalesce(b.tier, '(none)') as from_label,
        coalesce(n.tier, '(none)') as to_label
    from valued as n
    full join valued as b on n.population = b.population and n.user_key = b.user_key and n.day = b.day + 1
),

changes as (
    select 'activity' as line, * from activity_labels
    union all
    select 'transaction' as line, * from buyer_labels
    union all
    select 'value' as line, * from value_labels
)

select
    c.population,
    c.user_key,
    c.line,
    c.from_label,
    c.to_label,
    'day' as grain,
    d.day as period_start
from changes as c
inner join days as d on c.day = d.day
where c.from_label <> c.to_label
