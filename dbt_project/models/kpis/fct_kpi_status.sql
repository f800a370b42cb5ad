{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'status', 'feeds': ['page_views', 'traffic', 'exposure', 'user_growth']}
) }}

with

-- read three times; laid out once it would be all of history
kpi_values as not materialized (
    select * from {{ ref('fct_kpi_values') }}
    where scope_kind in ('company', 'product', 'channel', 'team', 'person')
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

kpis as (
    select * from {{ ref('dim_kpis') }}
),

limits as (
    select * from {{ ref('int_kpi_limits') }}
),

usual_shares as (
    select * from {{ ref('int_kpi_usual_shares') }}
),

forecasts as (
    select * from {{ ref('fct_forecasts_made') }}
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
),

paced as (
    select
        j.*,
        case when u.periods = 6 then u.usual_share end as usual_share,
        j.target is not null and j.grain in ('month', 'quarter') and j.as_of_date + 1 < j.period_end as is_aimed_at,
        k.is_additive or k.is_cumulative or (k.unit = 'count' and k."window" = 'period') as is_reached_step_by_step,
        k.is_cumulative,
        j.scope_kind in ('company', 'product')
        and (coalesce(k.brand_role, '') = 'headline' or coalesce(k.growth_role, '') = 'headline') as is_forecast,
        case k."window"
            when 'trailing_7' then j.grain = 'day'
            when 'trailing_28' then j.grain in ('day', 'week')
            else false
        end as is_overlapping
    from judged as j
    inner join kpis as k on j.kpi_id = k.kpi_id
    left join usual_shares as u
        on
            j.kpi_id = u.kpi_id
            and j.product_id = u.product_id
            and j.scope_kind = u.scope_kind
            and j.scope_id = u.scope_id
            and j.grain = u.grain
            and j.period_start = u.period_start
            and j.as_of_date = u.as_of_date
),

-- a period is judged when it is over
charted as (
    select
        p.*,
        l.lower_limit,
        l.centre,
        l.upper_limit,
        l.trend,
        l.baseline_points,
        case
            when l.centre is null then null
            when p.value > l.upper_limit then 'above'
            when p.value < l.lower_limit then 'below'
            else 'none'
        end as signal,
        case
            when p.grain = 'quarter' then 'no_chart'
            when p.is_cumulative then 'cumulative'
            when p.is_overlapping then 'windows_overlap'
            when p.scope_changed then 'ownership_changed'
            when p.incomplete_because is not null then p.incomplete_because
            when p.value is null then 'no_value'
            else l.reason
        end as signal_reason
    from paced as p
    left join limits as l
        on
            p.kpi_id = l.kpi_id
            and p.product_id = l.product_id
            and p.scope_kind = l.scope_kind
            and p.scope_id = l.scope_id
            and p.grain = l.grain
            and p.period_start = l.period_start
            and p.is_complete
            and not p.is_overlapping
),

chart_points as (
    select
        kpi_id,
        {{ key_of(['kpi_id', 'product_id', 'scope_kind', 'scope_id']) }} as series,
        grain,
        period_start,
        value,
        lower_limit,
        centre,
        upper_limit
    from charted
    where signal is not null
    {%- if is_incremental() %}
    union all
    -- the seven before what is touched
    select
        s.kpi_id,
        {{ key_of(['s.kpi_id', 's.product_id', 's.scope_kind', 's.scope_id']) }} as series,
        s.grain,
        s.period_start,
        s.value,
        s.lower_limit,
        s.centre,
        s.upper_limit
    from {{ this }} as s
    inner join (select grain, min(period_start) as first_start from touched group by grain) as f on s.grain = f.grain
    where
        s.signal is not null
        and {{ period_number('s.grain', 's.period_start') }} >= {{ period_number('f.grain', 'f.first_start') }} - 7
        and (s.grain, s.period_start) not in (select (t.grain, t.period_start) from touched as t)
    {%- endif %}
),

sides_taken as (
    select
        c.series,
        c.grain,
        c.period_start,
        {{ period_number('c.grain', 'c.period_start') }} as t,
        sign(c.value - c.centre) as side,
        -- a limit that stands where nothing can lie beyond it is not one to be near to
        case
            when c.value > c.centre and c.upper_limit < coalesce(k.highest, c.upper_limit + 1)
                then (c.upper_limit - c.value < c.value - c.centre)::integer
            when c.value < c.centre and c.lower_limit > coalesce(k.lowest, c.lower_limit - 1)
                then -(c.value - c.lower_limit < c.centre - c.value)::integer
            else 0
        end as near_side
    from chart_points as c
    inner join kpis as k on c.kpi_id = k.kpi_id
),

marked as (
    select
        series,
        grain,
        period_start,
        near_side <> 0 and abs(sum(near_side) over last_four) >= 3 as is_near_limit,
        abs(sum(side) over last_eight) = 8 as is_one_sided
    from sides_taken
    window
        last_four as (partition by series, grain order by t range between 3 preceding and current row),
        last_eight as (partition by series, grain order by t range between 7 preceding and current row)
)

select
    c.kpi_id,
    c.product_id,
    c.scope_kind,
    c.scope_id,
    c.grain,
    c.period_start,
    c.as_of_date,
    c.period_end,
    c.value,
    c.is_complete,
    case when c.is_comparable then c.previous_value end as previous_value,
    case when c.is_comparable then c.value - c.previous_value end as previous_change,
    case when c.is_comparable then {{ ratio('c.value - c.previous_value', 'abs(c.previous_value)') }} end
        as previous_change_share,
    case when c.is_comparable_last_year then c.last_year_value end as last_year_value,
    case when c.is_comparable_last_year then c.value - c.last_year_value end as last_year_change,
    case when c.is_comparable_last_year then {{ ratio('c.value - c.last_year_value', 'abs(c.last_year_value)') }} end
        as last_year_change_share,
    c.target,
    case when c.is_attainable then {{ ratio('c.value', 'c.target') }} end as attainment,
    case
        when c.is_attainable and c.is_aimed_at and c.is_reached_step_by_step
            then {{ ratio('c.value', 'c.target * c.usual_share') }}
    end as pace,
    f.forecast,
    f.forecast_low,
    f.forecast_high,
    f.forecast_chance,
    c.lower_limit,
    c.centre,
    c.upper_limit,
    c.trend,
    c.baseline_points,
    c.signal,
    case
        when m.is_near_limit and m.is_one_sided then 'near_limit, one_side'
        when m.is_near_limit then 'near_limit'
        when m.is_one_sided then 'one_side'
    end as marks,
    case
        when c.scope_changed then 'ownership_changed'
        when c.incomplete_because in ('absent_days', 'before_start') then c.incomplete_because
        when c.previous_value is null then 'no_previous_period'
        when c.previous_incomplete_because = 'absent_days' then 'previous_absent_days'
        when c.previous_incomplete_because = 'before_start' then 'previous_before_start'
    end as reason,
    case
        when not c.is_aimed_at then null
        when c.scope_changed then 'ownership_changed'
        when not c.is_attainable then c.incomplete_because
        when not c.is_reached_step_by_step then 'not_step_by_step'
        when c.usual_share is null then 'too_few_periods'
    end as pace_reason,
    case
        when not c.is_aimed_at or not c.is_forecast or f.forecast_low is not null then null
        when c.is_cumulative or not c.is_reached_step_by_step then 'not_step_by_step'
        when f.forecast is not null then 'too_few_forecasts'
        when not c.is_attainable then c.incomplete_because
        else 'too_few_days'
    end as forecast_reason,
    c.signal_reason
from charted as c
left join marked as m
    on
        c.signal is not null
        and {{ key_of(['c.kpi_id', 'c.product_id', 'c.scope_kind', 'c.scope_id']) }} = m.series
        and c.grain = m.grain
        and c.period_start = m.period_start
left join forecasts as f
    on
        c.kpi_id = f.kpi_id
        and c.product_id = f.product_id
        and c.scope_kind = f.scope_kind
        and c.scope_id = f.scope_id
        and c.grain = f.grain
        and c.period_start = f.period_start
        and c.as_of_date = f.as_of_date
