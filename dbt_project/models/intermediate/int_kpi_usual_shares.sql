with

kpi_values as (
    select * from {{ ref('fct_kpi_values') }} where grain in ('month', 'quarter')
),

-- what adds up, and counts of what is in the period
kpis as (
    select kpi_id from {{ ref('dim_kpis') }}
    where is_additive or is_cumulative or (unit = 'count' and "window" = 'period')
),

targets as (
    select * from {{ ref('stg_organisation__targets') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'status'
),

aimed_at as (
    select distinct
        t.kpi_id,
        t.scope_kind,
        t.scope_id,
        t.grain
    from targets as t
    inner join kpis as k on t.kpi_id = k.kpi_id
),

values_aimed_at as (
    select v.*
    from kpi_values as v
    inner join aimed_at as a
        on v.kpi_id = a.kpi_id and v.scope_kind = a.scope_kind and v.scope_id = a.scope_id and v.grain = a.grain
),

finished as (
    select * from values_aimed_at where is_complete and not scope_changed and value > 0
),

periods_to_date as (
    select v.*
    from values_aimed_at as v
    inner join touched as t on v.grain = t.grain and v.period_start = t.period_start
    where v.as_of_date + 1 < v.period_end
),

periods_before as (
    select
        p.kpi_id,
        p.product_id,
        p.scope_kind,
        p.scope_id,
        p.grain,
        p.period_start,
        f.period_start as before_start,
        f.period_end as before_end,
        f.value as before_value
    from (select distinct kpi_id, product_id, scope_kind, scope_id, grain, period_start from periods_to_date) as p
    inner join finished as f
        on
            p.kpi_id = f.kpi_id
            and p.product_id = f.product_id
            and p.scope_kind = f.scope_kind
            and p.scope_id = f.scope_id
            and p.grain = f.grain
            and f.period_end <= p.period_start
    qualify row_number() over (
        partition by p.kpi_id, p.product_id, p.scope_kind, p.scope_id, p.grain, p.period_start
        order by f.period_start desc
    ) <= 6
)

-- to as many elapsed days, at most the whole of the other period
select
    p.kpi_id,
    p.product_id,
    p.scope_kind,
    p.scope_id,
    p.grain,
    p.period_start,
    p.as_of_date,
    count(*)::integer as periods,
    avg(v.value / b.before_value order by b.before_start) as usual_share
from periods_to_date as p
inner join periods_before as b
    on
        p.kpi_id = b.kpi_id
        and p.product_id = b.product_id
        and p.scope_kind = b.scope_kind
        and p.scope_id = b.scope_id
        and p.grain = b.grain
        and p.period_start = b.period_start
inner join values_aimed_at as v
    on
        b.kpi_id = v.kpi_id
        and b.product_id = v.product_id
        and b.scope_kind = v.scope_kind
        and b.scope_id = v.scope_id
        and b.grain = v.grain
        and b.before_start = v.period_start
        and v.as_of_date = least(b.before_end - 1, b.before_start + (p.as_of_date - p.period_start)::integer)
group by all
