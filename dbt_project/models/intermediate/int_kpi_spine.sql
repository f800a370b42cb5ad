with

scopes as (
    select * from {{ ref('int_scopes') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

period_days as (
    select * from {{ ref('int_period_days') }}
)

-- one row per scope, period and elapsed day, from the day the scope exists
select
    s.family,
    s.scope_kind,
    s.product_id,
    s.scope_id,
    p.grain,
    p.is_reported,
    p.period_start,
    p.period_end,
    p.last_day,
    p.preceding_start,
    p.as_of_date
from scopes as s
inner join period_days as p on s.exists_from <= p.as_of_date and p.period_start < s.exists_to
inner join touched as t on p.grain = t.grain and p.period_start = t.period_start
