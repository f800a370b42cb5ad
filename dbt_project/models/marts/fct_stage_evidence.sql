with

criteria as (
    select * from {{ ref('stg_organisation__stage_criteria') }}
),

kpis as (
    select * from {{ ref('dim_kpis') }}
),

kpi_values as not materialized (
    select * from {{ ref('fct_kpi_values') }}
    where scope_kind = 'product' and grain = 'month' and as_of_date + 1 = period_end
),

stages as (
    select * from {{ ref('int_period_stages') }} where grain = 'month' and not is_past
),

-- forward a threshold must be reached, back it must be missed; a month that is not complete holds nothing
months_judged as (
    select
        c.from_stage,
        c.to_stage,
        c.kpi_id,
        c.threshold,
        c.periods as periods_needed,
        v.product_id,
        v.period_start,
        case when v.is_complete then v.value end as complete_value,
        coalesce(
            case
                when (k.direction = 'down') = (c.from_stage = 'growth') then complete_value >= c.threshold
                when k.direction = 'down' then complete_value <= c.threshold
                else complete_value < c.threshold
            end,
            false
        ) as is_held
    from criteria as c
    inner join kpis as k on c.kpi_id = k.kpi_id
    inner join kpi_values as v on c.kpi_id = v.kpi_id
),

runs_numbered as (
    select
        *,
        count_if(not is_held) over (
            partition by from_stage, to_stage, kpi_id, product_id order by period_start
        ) as run
    from months_judged
),

runs_counted as (
    select
        *,
        (count_if(is_held) over (
            partition by from_stage, to_stage, kpi_id, product_id, run order by period_start
        ))::integer as periods_held
    from runs_numbered
)

select
    r.product_id,
    r.from_stage,
    r.to_stage,
    r.kpi_id,
    'month' as grain,
    r.period_start,
    r.complete_value as value,
    r.threshold,
    r.periods_needed,
    r.periods_held,
    r.periods_held >= r.periods_needed as is_met,
    bool_and(r.periods_held >= r.periods_needed) over (
        partition by r.product_id, r.from_stage, r.to_stage, r.period_start
    ) as is_move_met
from runs_counted as r
inner join stages as s
    on r.product_id = s.product_id and r.period_start = s.period_start and r.from_stage = s.stage
