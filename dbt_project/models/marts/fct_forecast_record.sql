with

made as (
    select * from {{ ref('fct_forecasts_made') }}
),

kpi_values as not materialized (
    select * from {{ ref('fct_kpi_values') }} where grain in ('month', 'quarter') and is_complete
),

outcomes_joined as (
    select
        m.*,
        v.value as outcome
    from made as m
    inner join kpi_values as v
        on
            m.kpi_id = v.kpi_id
            and m.product_id = v.product_id
            and m.scope_kind = v.scope_kind
            and m.scope_id = v.scope_id
            and m.grain = v.grain
            and m.period_start = v.period_start
            and m.period_end = v.as_of_date + 1
    where v.value is not null
),

-- by how much of the period was over when the forecast was made
quarters_of_period as (
    select
        *,
        least(3, floor(4 * (as_of_date - period_start + 1)::double / (period_end - period_start)))::integer
            as quarters_over
    from outcomes_joined
)

select
    kpi_id,
    product_id,
    scope_kind,
    scope_id,
    grain,
    quarters_over,
    is_backcomputed,
    count(*)::integer as forecasts,
    count(forecast_low)::integer as intervals,
    {{ ratio('sum(abs(forecast - outcome) order by as_of_date)', 'abs(sum(outcome order by as_of_date))') }} as wape,
    {{ ratio('sum(forecast - outcome order by as_of_date)', 'abs(sum(outcome order by as_of_date))') }} as bias,
    {{ ratio('count_if(outcome between forecast_low and forecast_high)', 'count(forecast_low)') }} as coverage
from quarters_of_period
group by all
