{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'status', 'feeds': ['page_views', 'traffic', 'exposure', 'user_growth']}
) }}

with

playbook as (
    select * from {{ ref('stg_organisation__playbook') }}
),

kpi_status as not materialized (
    select * from {{ ref('fct_kpi_status') }}
),

kpis as (
    select * from {{ ref('dim_kpis') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'status'
),

stages as (
    select * from {{ ref('int_period_stages') }} where not is_past
),

scope_products as (
    select * from {{ ref('int_scope_products') }}
),

-- a scope is in the stages of the products it reaches
scope_stages as (
    select distinct
        p.scope_kind,
        p.product_id,
        p.scope_id,
        s.grain,
        s.period_start,
        s.stage
    from stages as s
    inner join touched as t on s.grain = t.grain and s.period_start = t.period_start
    inner join scope_products as p
        on s.product_id = p.source_product_id and p.valid_from <= s.judged_on and s.judged_on < p.valid_to
),

-- only what is proven: outside its limits, or off its target or the pace to it
conditions_proven as (
    select
        s.*,
        case when s.signal = 'above' then 'signal_up' else 'signal_down' end as condition,
        s.centre as expected
    from kpi_status as s
    inner join touched as t on s.grain = t.grain and s.period_start = t.period_start
    where s.signal in ('above', 'below')
    union all by name
    select
        s.*,
        case when s.value < s.target then 'below_target' else 'above_target' end as condition,
        s.target as expected
    from kpi_status as s
    inner join touched as t on s.grain = t.grain and s.period_start = t.period_start
    where s.is_complete and s.attainment is not null and s.value <> s.target
    union all by name
    select
        s.*,
        case when s.pace < 1 then 'below_target' else 'above_target' end as condition,
        coalesce(s.value / nullif(s.pace, 0), s.target) as expected
    from kpi_status as s
    inner join touched as t on s.grain = t.grain and s.period_start = t.period_start
    where not s.is_complete and s.pace >= 0 and s.pace <> 1
),

actions_found as (
    select
        p.action,
        p.action_es,
        p.stage,
        c.*,
        c.value - c.expected as gap,
        {{ ratio('c.value - c.expected', 'abs(c.expected)') }} as gap_share,
        k.sort
    from conditions_proven as c
    inner join playbook as p on c.kpi_id = p.kpi_id and c.condition = p.condition
    inner join kpis as k on c.kpi_id = k.kpi_id
    inner join scope_stages as g
        on
            c.scope_kind = g.scope_kind
            and c.product_id = g.product_id
            and c.scope_id = g.scope_id
            and c.grain = g.grain
            and c.period_start = g.period_start
            and p.stage = g.stage
)

-- a signal before a miss, then by how far it is off
select
    product_id,
    scope_kind,
    scope_id,
    grain,
    period_start,
    as_of_date,
    kpi_id,
    stage,
    condition,
    action,
    action_es,
    (row_number() over (
        partition by product_id, scope_kind, scope_id, grain, period_start, as_of_date
        order by starts_with(condition, 'signal') desc, abs(gap_share) desc nulls last, sort, kpi_id, stage, action
    ))::integer as rank,
    value,
    expected,
    gap,
    gap_share,
    target,
    attainment,
    pace,
    forecast,
    forecast_chance,
    signal,
    lower_limit,
    centre,
    upper_limit
from actions_found
