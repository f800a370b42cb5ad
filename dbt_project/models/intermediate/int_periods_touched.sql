with

periods as (
    select * from {{ ref('dim_periods') }}
),

changes as (
    select * from {{ source('landing', 'changed_from') }}
),

new_sign_ups as (
    select
        product_id,
        user_id,
        {{ user_key('product_id', 'user_id') }} as member_key
    from {{ ref('stg_landing__users') }}
),

{% if adapter.get_relation(database=target.database, schema='intermediate', identifier='int_transactions_summed') -%}
earlier_orders as (
    select min(t.local_date) as day
    from {{ target.database }}.intermediate.int_transactions_summed as t
    inner join new_sign_ups as u on t.source_product_id = u.product_id and t.user_key = hash(u.user_id)
),
{%- else -%}
earlier_orders as (
    select null::date as day
),
{%- endif %}

-- a sign-up that comes or goes moves what its user did before it to another channel
{% if adapter.get_relation(database=target.database, schema='intermediate', identifier='int_user_profiles') -%}
profiles as (
    select * from {{ target.database }}.intermediate.int_user_profiles
),

members_moved as (
    select member_key from new_sign_ups
    union
    select p.member_key
    from profiles as p
    inner join {{ source('landing', 'touched_slices') }} as t
        on p.source_product_id = t.product_id and p.signed_up_on = t.day
    where t.feed = 'user_growth'
),

earlier_activity as (
    select min(p.first_active_day) as day
    from profiles as p
    semi join members_moved as m on p.member_key = m.member_key
),
{%- else -%}
earlier_activity as (
    select null::date as day
),
{%- endif %}

first_changes as (
    select
        'values' as layer,
        least(
            min(c.day), (select e.day from earlier_activity as e), (select o.day from earlier_orders as o)
        ) as day
    from changes as c
    where c.layer = 'values'
    union all
    select
        'status' as layer,
        least(
            min(c.day), (select e.day from earlier_activity as e), (select o.day from earlier_orders as o)
        ) as day
    from changes as c
),

-- what is observed up to 30 days after a period moves with those days, and with it what is said of it
layers as (
    select * from first_changes
    union all
    select
        l.layer,
        f.day - 30 as day
    from first_changes as f
    cross join (values ('matured'), ('status')) as l (layer)
    where f.layer = 'values'
)

select distinct
    f.layer,
    p.grain,
    p.period_start
from periods as p
inner join layers as f on p.period_end > f.day
