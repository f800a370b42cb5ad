with

kept as (
    select * from {{ source('landing', 'forecasts_made') }}
),

expected as (
    select * from {{ ref('int_kpi_forecasts') }}
),

kpi_values as not materialized (
    select * from {{ ref('fct_kpi_values') }} where grain in ('month', 'quarter')
),

kpis as (
    select * from {{ ref('dim_kpis') }}
),

targets as (
    select * from {{ ref('stg_organisation__targets') }}
),

data_through as (
    select max(day) as day from {{ ref('int_calendar_days') }}
),

points_made as (
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
        forecast
    from kept
    where forecast > value
    union all by name
    select * from expected where forecast > value
),

-- how much of what was forecast to come did come
errors as (
    select
        p.*,
        (v.value - p.value) / (p.forecast - p.value) as share_come
    from points_made as p
    inner join kpi_values as v
        on
            p.kpi_id = v.kpi_id
            and p.product_id = v.product_id
            and p.scope_kind = v.scope_kind
            and p.scope_id = v.scope_id
            and p.grain = v.grain
            and p.period_start = v.period_start
            and v.as_of_date + 1 = v.period_end
    where v.is_complete and v.value is not null
),

errors_before as (
    select
        e.kpi_id,
        e.product_id,
        e.scope_kind,
        e.scope_id,
        e.grain,
        e.period_start,
        e.as_of_date,
        b.share_come,
        b.period_start as before_start
    from expected as e
    inner join errors as b
        on
            e.kpi_id = b.kpi_id
            and e.product_id = b.product_id
            and e.scope_kind = b.scope_kind
            and e.scope_id = b.scope_id
            and e.grain = b.grain
            and b.as_of_date = {{ same_point(
                'e.as_of_date', 'e.period_start', 'e.period_end', 'b.period_start', 'b.period_end'
            ) }}
            and b.period_end <= e.period_start
    qualify row_number() over (
        partition by e.kpi_id, e.product_id, e.scope_kind, e.scope_id, e.grain, e.period_start, e.as_of_date
        order by b.period_start desc
    ) <= 12
),

errors_summed as (
    select
        kpi_id,
        product_id,
        scope_kind,
        scope_id,
        grain,
        period_start,
        as_of_date,
        count(*)::integer as errors,
        avg(share_come order by before_start) as mean_share,
        stddev_samp(share_come order by before_start) * sqrt(1 + 1 / count(*)) as spread
    from errors_before
    group by all
    having count(*) >= 4
),

intervals_laid as (
    select
        e.*,
        t.value as target,
        k.direction,
        -- a count to date is never taken back
        k.unit = 'count' as is_kept,
        s.errors,
        s.mean_share,
        s.spread,
        e.value + (e.forecast - e.value) * (s.mean_share - s.spread * {{ t_of_eighty_percent('s.errors - 1') }}) as raw_low,
        e.value + (e.forecast - e.value) * (s.mean_share + s.spread * {{ t_of_eighty_percent('s.errors - 1') }}) as raw_high,
        {{ ratio('(t.value - e.value) / nullif(e.forecast - e.value, 0) - s.mean_share', 's.spread') }} as target_distance
    from expected as e
    inner join kpis as k on e.kpi_id = k.kpi_id
    left join errors_summed as s
        on
            e.kpi_id = s.kpi_id
            and e.product_id = s.product_id
            and e.scope_kind = s.scope_kind
            and e.scope_id = s.scope_id
            and e.grain = s.grain
            and e.period_start = s.period_start
            and e.as_of_date = s.as_of_date
    left join targets as t
        on
            e.kpi_id = t.kpi_id
            and e.scope_kind = t.scope_kind
            and e.scope_id = t.scope_id
            and coalesce(t.product_id, '(all)') in (
                e.product_id, case when e.scope_kind = 'product' then '(all)' end
            )
            and e.grain = t.grain
            and e.period_start = t.period_start
),

chances_added as (
    select
        *,
        case
            when errors < 4 or errors is null or target is null then null
            when is_kept and value >= target then 1
            when spread < 1e-9 or forecast = value
                then (value + (forecast - value) * mean_share >= target)::integer
            else 1 - {{ share_below_t('target_distance', 'errors - 1') }}
        end as chance_of_reaching
    from intervals_laid
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
    forecast,
    case when errors >= 4 then least(case when is_kept then greatest(raw_low, value) else raw_low end, forecast) end
        as forecast_low,
    case when errors >= 4 then greatest(raw_high, forecast) end as forecast_high,
    target,
    case direction when 'up' then chance_of_reaching when 'down' then 1 - chance_of_reaching end as forecast_chance,
    errors,
    as_of_date < (select d.day from data_through as d) as is_backcomputed
from chances_added
union all by name
select * from kept
