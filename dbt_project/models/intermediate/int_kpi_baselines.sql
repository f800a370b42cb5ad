with

kpi_values as (
    select
        *,
        {{ key_of(['kpi_id', 'product_id', 'scope_kind', 'scope_id']) }} as series
    from {{ ref('fct_kpi_values') }}
    where
        grain in ('day', 'week', 'month')
        and is_complete
        and value is not null
        and scope_kind in ('company', 'product', 'channel', 'team', 'person')
),

kpis as (
    select * from {{ ref('dim_kpis') }} where not is_cumulative
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'status'
),

annotations as (
    select * from {{ ref('stg_organisation__annotations') }} where rebase
),

changes as (
    select * from {{ ref('int_scope_changes') }}
),

-- limits hold for the calendar quarter of a period's first day
judged as (
    select
        v.series,
        v.grain,
        date_trunc('quarter', v.period_start)::date as quarter_start,
        any_value(v.kpi_id) as kpi_id,
        any_value(v.product_id) as product_id,
        any_value(v.scope_kind) as scope_kind,
        any_value(v.scope_id) as scope_id
    from kpi_values as v
    inner join touched as t on v.grain = t.grain and v.period_start = t.period_start
    group by all
),

windows_laid as (
    select
        j.*,
        k.unit,
        (j.quarter_start + interval 3 month)::date as quarter_end,
        case j.grain
            when 'day' then j.quarter_start - interval 84 day
            -- the 26 weeks that end in the 182 days before
            when 'week' then j.quarter_start - interval 188 day
            else j.quarter_start - interval 24 month
        end::date as window_start,
        case j.grain when 'day' then 56 when 'week' then 20 else 12 end as points_needed
    from judged as j
    inner join kpis as k on j.kpi_id = k.kpi_id
),

-- what was noted as a new start, and where a scope began to mean something else
restarts as (
    select
        w.series,
        w.grain,
        w.quarter_start,
        a.day,
        false as is_ownership
    from windows_laid as w
    inner join annotations as a
        on
            coalesce(a.kpi_id, w.kpi_id) = w.kpi_id
            and coalesce(a.scope_kind, w.scope_kind) = w.scope_kind
            and coalesce(a.scope_id, w.scope_id) = w.scope_id
            and w.window_start < a.day
            and a.day < w.quarter_end
    union all
    select
        w.series,
        w.grain,
        w.quarter_start,
        c.changed_on as day,
        true as is_ownership
    from windows_laid as w
    inner join changes as c
        on
            w.scope_kind = c.scope_kind
            and w.scope_id = c.scope_id
            and w.window_start < c.changed_on
            and c.changed_on < w.quarter_end
),

spans_opened as (
    select
        series,
        grain,
        quarter_start,
        greatest(day, quarter_start) as applies_from,
        max(day) as restarted_on,
        bool_or(is_ownership) as is_ownership
    from restarts
    group by all
    union all by name
    select
        series,
        grain,
        quarter_start,
        quarter_start as applies_from,
        null as restarted_on,
        false as is_ownership
    from windows_laid as w
    where (series, grain, quarter_start) not in (
        select (r.series, r.grain, r.quarter_start) from restarts as r where r.day <= r.quarter_start
    )
),

spans as (
    select
        w.*,
        s.applies_from,
        lead(s.applies_from, 1, w.quarter_end) over (
            partition by w.series, w.grain, w.quarter_start order by s.applies_from
        ) as applies_to,
        s.restarted_on,
        s.is_ownership,
        coalesce(s.restarted_on, w.window_start) as baseline_start
    from windows_laid as w
    inner join spans_opened as s
        on w.series = s.series and w.grain = s.grain and w.quarter_start = s.quarter_start
),

-- before the quarter; after a new start also what of the quarter is there until the next one
points_found as (
    select
        s.series,
        s.grain,
        s.applies_from,
        s.restarted_on is not null as is_restarted,
        v.period_start,
        v.period_end,
        v.value,
        v.period_end <= s.quarter_start as is_before_quarter
    from spans as s
    inner join kpi_values as v
        on
            s.series = v.series
            and s.grain = v.grain
            and s.baseline_start <= v.period_start
            and v.period_end <= case when s.restarted_on is null then s.quarter_start else s.applies_to end
    where v.period_start >= (select min(w.baseline_start) from spans as w)
),

points_gathered as (
    select
        series,
        grain,
        applies_from,
        count_if(is_before_quarter) as points_before_quarter,
        list(
            {
                't': {{ period_number('grain', 'period_start') }},
                'value': value,
                'weekday': isodow(period_start),
                'period_end': period_end
            }
            order by period_start
        ) as points
    from points_found
    group by all
),

points_chosen as (
    select
        s.*,
        case
            when g.points_before_quarter >= s.points_needed or s.restarted_on is null
                then g.points[:g.points_before_quarter]
            else g.points[:s.points_needed]
        end as points
    from spans as s
    left join points_gathered as g
        on s.series = g.series and s.grain = g.grain and s.applies_from = g.applies_from
),

first_baselines as (
    select
        *,
        list_max([p.period_end for p in points]) as judged_from
    from points_chosen
    where len(points) >= points_needed
),

{{ process_lines('first', 'first_baselines') }},

-- what lies outside is left out once, and all is computed again
second_baselines as (
    select
        * exclude (
            points_used, mean_value, mean_t, mean_z, slope, sum_tt, has_trend, is_logarithmic, is_signed,
            weekday_indexes, spread, has_spread
        )
        replace (
            [p for p in points if not has_spread or abs(p.residual) <= {{ limit_distance('p.t') }}] as points
        )
    from first_spread
),

{{ process_lines('second', 'second_baselines') }}

select
    s.series,
    s.kpi_id,
    s.product_id,
    s.scope_kind,
    s.scope_id,
    s.grain,
    s.unit,
    s.applies_from,
    s.applies_to,
    f.judged_from,
    f.points_used::integer as points_used,
    f.mean_t,
    f.mean_z,
    f.slope,
    f.sum_tt,
    f.spread,
    f.has_trend,
    f.is_logarithmic,
    f.is_signed,
    f.weekday_indexes,
    case
        when f.series is null and s.is_ownership then 'ownership_changed'
        when f.series is null then 'baseline_too_short'
        when not f.has_spread then 'no_spread'
    end as reason,
    case when s.is_ownership then 'ownership_changed' else 'baseline_too_short' end as reason_before_judged
from points_chosen as s
left join second_spread as f
    on s.series = f.series and s.grain = f.grain and s.applies_from = f.applies_from
