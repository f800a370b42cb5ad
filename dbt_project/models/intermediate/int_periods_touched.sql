with

periods as (
    select * from {{ ref('dim_periods') }}
),

changes as (
    select * from {{ source('landing', 'changed_from') }}
),

new_sign_ups as (
    select distinct product_id, user_id from {{ ref('stg_landing__users') }}
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

{% if adapter.get_relation(database=target.database, schema='intermediate', identifier='int_user_days') -%}
earlier_activity as (
    select min(d.local_date) as day
    from {{ target.database }}.intermediate.int_user_days as d
    inner join new_sign_ups as u on d.source_product_id = u.product_id and d.user_id = u.user_id
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
)

select
    f.layer,
    p.grain,
    p.period_start
from periods as p
inner join first_changes as f on p.period_end > f.day
