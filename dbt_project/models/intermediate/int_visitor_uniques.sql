{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views']}
) }}

with

visitor_quarters as (
    select * from {{ ref('int_visitor_quarters') }}
),

scope_names as (
    select distinct
        {{ key_of(['scope_kind', 'product_id', 'scope_id']) }} as scope_key,
        scope_kind,
        product_id,
        scope_id
    from {{ ref('int_visit_days_scoped') }}
),

calendar as (
    select * from {{ ref('int_calendar_days') }}
),

touched as (
    select
        t.grain,
        p.period_start,
        p.period_end
    from {{ ref('int_periods_touched') }} as t
    inner join {{ ref('dim_periods') }} as p on t.grain = p.grain and t.period_start = p.period_start
    where t.layer = 'values'
),

quarters as (
    select
        quarter_start,
        {{ first_week_of('quarter_start', 'min(week_start)') }} as first_week,
        (quarter_start + interval 3 month)::date as quarter_end
    from calendar
    group by quarter_start
),

-- each day's bit also stands for the six days after it, so that a week's first says whether there was any
weeks_marked as (
    select
        quarter_start,
        scope_key,
        days,
        days_or_next | (days_or_next >> 2) | (days_or_next >> 4) | (days >> 6) as week_begins
    from (
        select
            *,
            days | (days >> 1) as days_or_next
        from visitor_quarters
    ) as doubled
),

counted_by_bit as (
    select
        quarter_start,
        scope_key,
        {{ lane_sums('days') }} as of_days,
        {{ lane_sums('week_begins') }} as of_weeks
    from weeks_marked
    group by all
),

-- a week belongs to the quarter it ends in
days_and_weeks_asked as (
    select
        t.grain,
        t.period_start,
        (t.period_end - interval 1 day)::date as local_date,
        q.quarter_start,
        (t.period_start - q.first_week)::integer as position
    from touched as t
    inner join quarters as q on q.quarter_start < t.period_end and t.period_end <= q.quarter_end
    where t.grain in ('day', 'week')
),

days_and_weeks as (
    select
        c.scope_key,
        a.grain,
        a.period_start,
        a.local_date,
        {{ lane_count("case a.grain when 'day' then c.of_days else c.of_weeks end", 'a.position') }} as unique_visitors
    from counted_by_bit as c
    inner join days_and_weeks_asked as a on c.quarter_start = a.quarter_start
    where unique_visitors > 0
),

-- in months and quarters a visitor counts on the first day of the period they came
longer_periods as (
    select
        t.grain,
        t.period_start,
        q.quarter_start,
        q.first_week,
        (t.period_start - q.first_week)::integer as first_bit,
        ((1::hugeint << (t.period_end - t.period_start)::integer) - 1)
        << (t.period_start - q.first_week)::integer as days
    from touched as t
    inner join quarters as q on q.quarter_start <= t.period_start and t.period_start < q.quarter_end
    where t.grain in ('month', 'quarter')
),

firsts_counted as (
    select
        v.scope_key,
        p.grain,
        p.period_start,
        p.first_week,
        bit_count(((v.days & p.days) & -(v.days & p.days)) - 1) as position,
        count(*) as unique_visitors,
        count(*) filter (where v.first_bit between p.first_bit and 126) as new_visitors
    from visitor_quarters as v
    inner join longer_periods as p on v.quarter_start = p.quarter_start
    where v.days & p.days <> 0
    group by all
),

newcomers as (
    select
        v.scope_key,
        v.quarter_start,
        q.quarter_end,
        (q.first_week + v.first_bit::integer)::date as first_day,
        (q.first_week + 7 * (v.first_bit // 7)::integer)::date as week_start,
        count(*) filter (where (v.days >> v.first_bit::integer) & 1 = 1) as new_that_day,
        count(*) filter (where (v.days >> (7 * (v.first_bit // 7))::integer) & 127 <> 0) as new_that_week
    from visitor_quarters as v
    inner join quarters as q on v.quarter_start = q.quarter_start
    where v.first_bit < 127
    group by all
),

news_counted as (
    select
        scope_key,
        'day' as grain,
        first_day as period_start,
        sum(new_that_day) as new_visitors
    from newcomers
    where first_day >= quarter_start
    group by all
    union all
    select
        scope_key,
        'week' as grain,
        week_start as period_start,
        sum(new_that_week) as new_visitors
    from newcomers
    where (week_start + 6)::date < quarter_end
    group by scope_key, week_start
),

everything as (
    select
        scope_key,
        grain,
        period_start,
        (first_week + position::integer)::date as local_date,
        unique_visitors,
        new_visitors
    from firsts_counted
    union all
    select
        u.scope_key,
        u.grain,
        u.period_start,
        u.local_date,
        u.unique_visitors,
        coalesce(n.new_visitors, 0) as new_visitors
    from days_and_weeks as u
    left join news_counted as n
        on
            u.scope_key = n.scope_key
            and u.grain = n.grain
            and u.period_start = n.period_start
)

select
    n.scope_kind,
    n.product_id,
    n.scope_id,
    e.grain,
    e.unique_visitors::bigint as unique_visitors,
    e.new_visitors::bigint as new_visitors,
    e.period_start,
    e.local_date
from everything as e
inner join scope_names as n on e.scope_key = n.scope_key
semi join touched as t on e.grain = t.grain and e.period_start = t.period_start
