{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views', 'traffic', 'exposure', 'user_growth'], 'has_maturing_kpis': true}
) }}

with

completeness as (
    select * from {{ ref('int_completeness') }}
),

changes as (
    select * from {{ ref('int_scope_changes') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer in ('values', 'matured')
),

kpis_unpivoted as (
    {{ kpis_unpivoted() }}
),

changes_in_view as (
    select distinct
        c.scope_kind,
        c.scope_id,
        p.grain,
        p.period_start
    from changes as c
    inner join periods as p on p.comparison_start < c.changed_on and c.changed_on < p.period_end
)

-- what did not land at all is NULL, never 0
select
    k.kpi_id,
    k.product_id,
    k.scope_kind,
    k.scope_id,
    k.grain,
    k.period_start,
    k.as_of_date,
    k.period_end,
    case when {{ landed_days_behind('k.window', 'k.is_cumulative') }} > 0 then k.value end as value,
    case when {{ landed_days_behind('k.window', 'k.is_cumulative') }} > 0 then k.numerator end as numerator,
    case when {{ landed_days_behind('k.window', 'k.is_cumulative') }} > 0 then k.denominator end as denominator,
    {{ because_of_window('k.window') }} is null as is_complete,
    g.scope_id is not null as scope_changed,
    {{ because_of_window('k.window') }} as incomplete_because
from kpis_unpivoted as k
inner join completeness as c
    on
        k.feed_set = c.feed_set
        and {{ is_completeness_of('c', 'k') }}
        and k.grain = c.grain
        and k.period_start = c.period_start
        and k.as_of_date = c.as_of_date
left join changes_in_view as g
    on
        k.scope_kind = g.scope_kind
        and k.scope_id = g.scope_id
        and k.grain = g.grain
        and k.period_start = g.period_start
