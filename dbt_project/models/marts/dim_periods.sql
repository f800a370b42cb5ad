with

days as (
    select * from {{ ref('int_calendar_days') }}
),

starts as (
    select distinct 'day' as grain, day as period_start from days
    union all
    select distinct 'week', week_start from days
    union all
    select distinct 'month', month_start from days
    union all
    select distinct 'quarter', quarter_start from days
),

ends_added as (
    select
        grain,
        period_start,
        case grain
            when 'day' then (period_start + interval 1 day)::date
            when 'week' then (period_start + interval 7 day)::date
            when 'month' then (period_start + interval 1 month)::date
            when 'quarter' then (period_start + interval 3 month)::date
        end as period_end
    from starts
),

comparisons_added as (
    select
        grain,
        period_start,
        period_end,
        (period_end - interval 1 day)::date as last_day,
        case grain
            when 'day' then (period_start - interval 7 day)::date
            when 'week' then (period_start - interval 7 day)::date
            when 'month' then (period_start - interval 1 month)::date
            when 'quarter' then (period_start - interval 3 month)::date
        end as comparison_start,
        case grain
            when 'day' then (period_start - interval 1 day)::date
            when 'week' then (period_start - interval 7 day)::date
            when 'month' then (period_start - interval 1 month)::date
            when 'quarter' then (period_start - interval 3 month)::date
        end as preceding_start,
        case
            when grain in ('day', 'week') then (period_start - interval 364 day)::date
            else (period_start - interval 12 month)::date
        end as last_year_start
    from ends_added
)

select * from comparisons_added
