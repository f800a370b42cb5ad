with

kpi_values as (
    select
        *,
        {{ key_of(['kpi_id', 'product_id', 'scope_kind', 'scope_id']) }} as series
    from {{ ref('fct_kpi_values') }}
    where grain in ('day', 'week', 'month') and is_complete and value is not null and not scope_changed
),

kpis as (
    select * from {{ ref('dim_kpis') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'status'
),

baselines as (
    select * from {{ ref('int_kpi_baselines') }}
),

placed as (
    select
        v.kpi_id,
        v.product_id,
        v.scope_kind,
        v.scope_id,
        v.grain,
        v.period_start,
        k.lowest,
        k.highest,
        {{ period_number('v.grain', 'v.period_start') }} as t,
        b.points_used,
        b.mean_t,
        b.mean_z,
        b.slope,
        b.sum_tt,
        b.spread,
        b.has_trend,
        b.is_logarithmic,
        b.is_signed,
        case when v.grain = 'day' then b.weekday_indexes[isodow(v.period_start)] end as weekday_index,
        case
            when v.denominator < k.smallest_base then 'base_too_small'
            when v.period_start < b.judged_from then b.reason_before_judged
            when b.reason is not null then b.reason
            when v.grain = 'day' and not b.is_signed and coalesce(weekday_index, 0) <= 0 then 'weekday_index_zero'
        end as reason
    from kpi_values as v
    inner join touched as t on v.grain = t.grain and v.period_start = t.period_start
    inner join kpis as k on v.kpi_id = k.kpi_id
    inner join baselines as b
        on
            v.series = b.series
            and v.grain = b.grain
            and b.applies_from <= v.period_start
            and v.period_start < b.applies_to
),

lines_drawn as (
    select
        *,
        case when reason is null then mean_z + slope * (t - mean_t) end as z,
        case when reason is null then {{ limit_distance('t') }} end as distance
    from placed
),

values_restored as (
    select
        *,
        {% for column, z in [('raw_lower', 'z - distance'), ('raw_centre', 'z'), ('raw_upper', 'z + distance')] -%}
        case when is_logarithmic then exp({{ z }}) else {{ z }} end
        * case when grain = 'day' and not is_signed then weekday_index else 1 end
        + case when grain = 'day' and is_signed then weekday_index else 0 end as {{ column }},
        {% endfor -%}
        case
            when has_trend and is_logarithmic then exp(slope) - 1
            when has_trend then {{ ratio('slope', 'abs(z)') }}
        end as trend_share
    from lines_drawn
)

-- least and greatest leave a missing bound out
select
    kpi_id,
    product_id,
    scope_kind,
    scope_id,
    grain,
    period_start,
    case when z is not null then least(greatest(raw_lower, lowest), highest) end as lower_limit,
    case when z is not null then least(greatest(raw_centre, lowest), highest) end as centre,
    case when z is not null then least(greatest(raw_upper, lowest), highest) end as upper_limit,
    case when z is not null then trend_share end as trend,
    case when z is not null then points_used end as baseline_points,
    reason
from values_restored
