with

kpi_values as not materialized (
    select * from {{ ref('fct_kpi_values') }} where scope_kind in ('company', 'product') and value is not null
),

-- what adds up, and counts of what is in the period
kpis as (
    select
        kpi_id,
        is_additive
    from {{ ref('dim_kpis') }}
    where
        (brand_role = 'headline' or growth_role = 'headline')
        and not is_cumulative
        and (is_additive or (unit = 'count' and "window" = 'period'))
),

targets as (
    select * from {{ ref('stg_organisation__targets') }}
),

holidays as (
    select * from {{ ref('stg_organisation__calendar') }} where kind = 'holiday'
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'status'
),

kept as (
    select * from {{ source('landing', 'forecasts_made') }}
),

aimed_at as (
    select distinct
        t.kpi_id,
        case when t.scope_kind = 'company' then '(all)' else t.scope_id end as product_id,
        t.scope_kind,
        t.scope_id,
        t.grain,
        k.is_additive
    from targets as t
    inner join kpis as k on t.kpi_id = k.kpi_id
    where t.scope_kind in ('company', 'product') and t.grain in ('month', 'quarter')
),

series_numbered as (
    select
        *,
        row_number() over (order by kpi_id, product_id, scope_kind, scope_id) as series
    from (select distinct * exclude (grain) from aimed_at) as a
),

values_aimed_at as (
    select
        s.series,
        s.is_additive,
        v.*
    from kpi_values as v
    inner join series_numbered as s
        on
            v.kpi_id = s.kpi_id
            and v.product_id = s.product_id
            and v.scope_kind = s.scope_kind
            and v.scope_id = s.scope_id
    where
        v.grain = 'day'
        or (v.kpi_id, v.product_id, v.scope_kind, v.scope_id, v.grain) in (
            select (a.kpi_id, a.product_id, a.scope_kind, a.scope_id, a.grain) from aimed_at as a
        )
),

-- made once: a day that has its forecast keeps it
days_to_forecast as (
    select v.*
    from values_aimed_at as v
    inner join touched as t on v.grain = t.grain and v.period_start = t.period_start
    anti join kept as m
        on
            v.kpi_id = m.kpi_id
            and v.product_id = m.product_id
            and v.scope_kind = m.scope_kind
            and v.scope_id = m.scope_id
            and v.grain = m.grain
            and v.period_start = m.period_start
            and v.as_of_date = m.as_of_date
    where v.grain <> 'day' and v.as_of_date + 1 < v.period_end and v.incomplete_because = 'period_open'
),

-- a holiday of one product is too little of the company's
holidays_of as (
    select distinct
        s.series,
        h.day
    from series_numbered as s
    inner join holidays as h on h.product_id is null or h.product_id = s.product_id
),

day_values as (
    select
        v.series,
        v.period_start as day,
        isodow(v.period_start) as weekday,
        v.value,
        h.day is not null as is_holiday
    from values_aimed_at as v
    left join holidays_of as h on v.series = h.series and v.period_start = h.day
    where
        v.grain = 'day'
        and v.is_additive
        and v.is_complete
        and v.period_start >= (select min(d.as_of_date) - 450 from days_to_forecast as d)
),

-- the median of the last six of a weekday
weekday_bases as (
    select
        series,
        day,
        weekday,
        median(value) over last_six as base
    from day_values
    where not is_holiday
    window last_six as (partition by series, weekday order by day rows between 5 preceding and current row)
    qualify count(*) over last_six >= 3
),

-- growth a week: four weeks against the four before, over the days both have
growths as (
    select
        n.series,
        n.day,
        case
            when count(b.value) over four_weeks >= 14
                then least(greatest(
                    sqrt(sqrt({{ ratio(
                        'sum(case when b.value is not null then n.value end) over four_weeks',
                        'sum(b.value) over four_weeks'
                    ) }})),
                    1 - {{ var('forecast_growth_most') }}
                ), 1 + {{ var('forecast_growth_most') }})
        end as growth
    from day_values as n
    left join day_values as b on n.series = b.series and n.day - 28 = b.day
    window four_weeks as (partition by n.series order by n.day range between interval 27 days preceding and current row)
),

-- what a holiday is of the weekday it falls on
holiday_shares as (
    select
        h.series,
        h.day,
        h.value / nullif(b.base, 0) as share
    from day_values as h
    asof inner join weekday_bases as b on h.series = b.series and h.weekday = b.weekday and h.day > b.day
    where h.is_holiday
),

as_of_days as (
    select distinct
        series,
        as_of_date
    from days_to_forecast
    where is_additive
),

holiday_shares_known as (
    select
        a.series,
        a.as_of_date,
        median(h.share) as share
    from as_of_days as a
    inner join holiday_shares as h on a.series = h.series and h.day between a.as_of_date - 400 and a.as_of_date
    group by all
    having count(h.share) >= 2
),

weekdays_expected as (
    select
        a.series,
        a.as_of_date,
        w.weekday,
        b.base,
        coalesce(g.growth, 1) as growth,
        coalesce(h.share, 1) as holiday_share
    from as_of_days as a
    cross join (select unnest(range(1, 8)) as weekday) as w
    asof inner join weekday_bases as b
        on a.series = b.series and w.weekday = b.weekday and a.as_of_date >= b.day
    left join growths as g on a.series = g.series and a.as_of_date = g.day
    left join holiday_shares_known as h on a.series = h.series and a.as_of_date = h.as_of_date
    where b.day >= a.as_of_date - 35
),

days_ahead as (
    select
        series,
        grain,
        period_start,
        as_of_date,
        unnest(range(1, (period_end - as_of_date)::integer))::integer as ahead
    from days_to_forecast
    where is_additive
),

-- the middle of six weeks lies three weeks back; growth is followed as many weeks ahead
rests_summed as (
    select
        d.series,
        d.grain,
        d.period_start,
        d.as_of_date,
        sum(
            w.base
            * w.growth ** (3 + least(d.ahead / 7, {{ var('forecast_growth_weeks') }}))
            * case when h.day is not null then w.holiday_share else 1 end
            order by d.ahead
        ) as rest,
        count(w.base) = count(*) as has_all_weekdays
    from days_ahead as d
    left join weekdays_expected as w
        on d.series = w.series and d.as_of_date = w.as_of_date and isodow(d.as_of_date + d.ahead) = w.weekday
    left join holidays_of as h on d.series = h.series and d.as_of_date + d.ahead = h.day
    group by all
),

periods_before as (
    select
        p.series,
        p.grain,
        p.period_start,
        p.period_end,
        f.period_start as before_start,
        f.period_end as before_end,
        f.value as before_value
    from (
        select distinct series, grain, period_start, period_end from days_to_forecast where not is_additive
    ) as p
    inner join values_aimed_at as f
        on p.series = f.series and p.grain = f.grain and f.period_end <= p.period_start
    where f.is_complete and f.value > 0
    qualify row_number() over (
        partition by p.series, p.grain, p.period_start order by f.period_start desc
    ) <= 6
),

-- how much of the whole such a period had usually reached
usual_shares as (
    select
        d.series,
        d.grain,
        d.period_start,
        d.as_of_date,
        avg(v.value / b.before_value order by b.before_start) as share
    from days_to_forecast as d
    inner join periods_before as b
        on d.series = b.series and d.grain = b.grain and d.period_start = b.period_start
    inner join values_aimed_at as v
        on
            b.series = v.series
            and b.grain = v.grain
            and b.before_start = v.period_start
            and v.as_of_date = {{ same_point(
                'd.as_of_date', 'd.period_start', 'd.period_end', 'b.before_start', 'b.before_end'
            ) }}
    group by all
    having count(*) >= 3
),

expected as (
    select
        d.*,
        case
            when d.is_additive and r.has_all_weekdays then d.value + r.rest
            -- nobody who was counted is taken back
            when u.share is not null then {{ ratio('d.value', 'least(u.share, 1)') }}
        end as forecast
    from days_to_forecast as d
    left join rests_summed as r
        on
            d.series = r.series
            and d.grain = r.grain
            and d.period_start = r.period_start
            and d.as_of_date = r.as_of_date
    left join usual_shares as u
        on
            d.series = u.series
            and d.grain = u.grain
            and d.period_start = u.period_start
            and d.as_of_date = u.as_of_date
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
    forecast
from expected
where forecast is not null and (is_additive or value > 0)
