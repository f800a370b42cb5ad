with

days as (
    select * from {{ ref('int_calendar_days') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

unpivoted as (
    select 'day' as grain, day as period_start, day from days
    union all
    select 'week', week_start, day from days
    union all
    select 'month', month_start, day from days
    union all
    select 'quarter', quarter_start, day from days
)

select
    u.grain,
    u.period_start,
    u.day as as_of_date,
    u.grain in ('month', 'quarter') or u.day = p.last_day as is_reported,
    p.period_end,
    p.last_day,
    p.comparison_start,
    p.preceding_start,
    p.last_year_start
from unpivoted as u
inner join periods as p on u.grain = p.grain and u.period_start = p.period_start
