{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'status', 'feeds': ['page_views', 'traffic', 'exposure', 'user_growth']}
) }}

with

kpi_values as (
    select * from {{ ref('fct_kpi_values') }}
),

targets as (
    select * from {{ ref('stg_organisation__targets') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

changes as (
    select * from {{ ref('int_scope_changes') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'status'
),

-- a period to date compares with as many elapsed days, at most the whole of the other period
comparisons_dated as (
    select
        v.*,
        p.comparison_start,
        p.last_year_start,
        case
            when v.as_of_date = p.last_day then b.last_day
            else least(b.last_day, p.comparison_start + (v.as_of_date - v.period_start)::integer)
        end as comparison_as_of,
        case
            when v.as_of_date = p.last_day then y.last_day
            else least(y.last_day, p.last_year_start + (v.as_of_date - v.period_start)::integer)
        end as last_year_as_of
    from kpi_values as v
    inner join touched as t on v.grain = t.grain and v.period_start = t.period_start
    inner join periods as p on v.grain = p.grain and v.period_start = p.period_start
    left join periods as b on v.grain = b.grain and p.comparison_start = b.period_start
    left join periods as y on v.grain = y.grain and p.last_year_start = y.period_start
),

compared as (
    select
        v.*,
        b.value as previous_value,
        b.incomplete_because as previous_incomplete_because,
        y.value as last_year_value,
        y.incomplete_because as last_year_incomplete_because,
        t.value as target
    from comparisons_dated as v
    left join kpi_values as b
        on
            v.kpi_id = b.kpi_id
            and v.product_id = b.product_id
            and v.scope_kind = b.scope_kind
            and v.scope_id = b.scope_id
            and v.grain = b.grain
            and v.comparison_start = b.period_start
            and v.comparison_as_of = b.as_of_date
    left join kpi_values as y
        on
            v.kpi_id = y.kpi_id
            and v.product_id = y.product_id
            and v.scope_kind = y.scope_kind
            and v.scope_id = y.scope_id
            and v.grain = y.grain
            and v.last_year_start = y.period_start
            and v.last_year_as_of = y.as_of_date
    left join targets as t
        on
            v.kpi_id = t.kpi_id
            and v.scope_kind = t.scope_kind
            and v.scope_id = t.scope_id
            and coalesce(t.product_id, '(all)') in (
                v.product_id, case when v.scope_kind = 'product' then '(all)' end
            )
            and v.grain = t.grain
            and v.period_start = t.period_start
),

changed_within_year as (
    select distinct
        c.scope_kind,
        c.scope_id,
        p.grain,
        p.period_start
    from changes as c
    inner join periods as p on p.last_year_start < c.changed_on and c.changed_on < p.period_end
),

-- a value that lacks days is compared with nothing; so is one whose scope means something else now
judged as (
    select
        v.*,
        coalesce(v.incomplete_because, 'period_open') = 'period_open' and not v.scope_changed as is_attainable,
        is_attainable
        and coalesce(v.previous_incomplete_because, 'period_open') = 'period_open' as is_comparable,
        is_attainable
        and g.scope_id is null
        and coalesce(v.last_year_incomplete_because, 'period_open') = 'period_open' as is_comparable_last_year
    from compared as v
    left join changed_within_year as g
        on
            v.scope_kind = g.scope_kind
            and v.scope_id = g.scope_id
            and v.grain = g.grain
            and v.period_start = g.period_start
)

select
    kpi_id,
    product_id,
    scope_kind,
    scope_id,
    grain,
    period_start,
    as_of_date,
    period_end,
    value,
    is_complete,
    case when is_comparable then previous_value end as previous_value,
    case when is_comparable then value - previous_value end as previous_change,
    case when is_comparable then {{ ratio('value - previous_value', 'abs(previous_value)') }} end
        as previous_change_share,
    case when is_comparable_last_year then last_year_value end as last_year_value,
    case when is_comparable_last_year then value - last_year_value end as last_year_change,
    case when is_comparable_last_year then {{ ratio('value - last_year_value', 'abs(last_year_value)') }} end
        as last_year_change_share,
    target,
    case when is_attainable then {{ ratio('value', 'target') }} end as attainment,
    null::double as pace,
    null::double as forecast,
    null::double as forecast_low,
    null::double as forecast_high,
    null::double as lower_limit,
    null::double as centre,
    null::double as upper_limit,
    null::varchar as signal,
    case
        when scope_changed then 'ownership_changed'
        when incomplete_because in ('absent_days', 'before_start') then incomplete_because
        when previous_value is null then 'no_previous_period'
        when previous_incomplete_because = 'absent_days' then 'previous_absent_days'
        when previous_incomplete_because = 'before_start' then 'previous_before_start'
    end as reason
from judged
