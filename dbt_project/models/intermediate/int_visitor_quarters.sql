{{ config(materialized='table') }}

with

visitor_cells as (
    select * from {{ ref('int_visitor_cells') }}
),

first_days as (
    select * from {{ ref('int_visitor_first_days') }}
),

visit_cells as (
    select * from {{ ref('int_visit_cells') }}
),

calendar as (
    select * from {{ ref('int_calendar_days') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

touched as (
    select
        p.grain,
        p.period_start,
        p.last_day
    from {{ ref('int_periods_touched') }} as t
    inner join periods as p on t.grain = p.grain and t.period_start = p.period_start
    where t.layer = 'values'
),

-- one bit for each day of a quarter, after those of the week that reaches into it
quarters as (
    select
        p.period_start as quarter_start,
        p.period_end as quarter_end,
        {{ first_week_of('p.period_start', 'min(c.week_start)') }} as first_week
    from periods as p
    inner join calendar as c on p.period_start <= c.day and c.day < p.period_end
    inner join touched as q on q.grain = 'quarter' and p.period_start = q.period_start
    where p.grain = 'quarter'
    group by p.period_start, p.period_end
),

-- between two changes of ownership a cell counts in the same scopes
ownership_changes as (
    select valid_from as day from {{ ref('int_memberships') }}
    union
    select valid_to as day from {{ ref('int_memberships') }}
),

eras as (
    select
        c.day as local_date,
        coalesce(max(o.day), (select min(f.day) from calendar as f)) as era
    from calendar as c
    asof left join ownership_changes as o on c.day >= o.day
    group by c.day
),

-- a day counts in its quarter, and in the next one when the week it lies in ends there
days as (
    select
        e.local_date,
        e.era,
        q.quarter_start,
        1::hugeint << (e.local_date - q.first_week)::integer as day_bit
    from eras as e
    inner join quarters as q on q.first_week <= e.local_date and e.local_date < q.quarter_end
),

cells_seen as (
    select
        d.quarter_start,
        d.era,
        v.cell_key,
        v.visitor_key,
        bit_or(d.day_bit) as days
    from visitor_cells as v
    inner join days as d on v.local_date = d.local_date
    group by all
),

cells as (
    select distinct
        c.source_product_id as product_id,
        c.cell_key,
        d.era as local_date,
        c.channel,
        c.campaign,
        c.device,
        c.prefixes
    from visit_cells as c
    inner join days as d on c.local_date = d.local_date
),

scopes as (
    {{ cell_scopes(
        columns=['cell_key', 'channel', 'campaign', 'device', 'prefixes'], sparse=['campaign', 'device']
    ) }}
),

scopes_keyed as (
    select
        cell_key,
        local_date,
        scope_product_id,
        {{ key_of(['scope_kind', 'scope_product_id', 'scope_id']) }} as scope_key
    from scopes
),

scope_products as (
    select distinct
        scope_key,
        scope_product_id
    from scopes_keyed
),

seen as (
    select
        c.quarter_start,
        s.scope_key,
        c.visitor_key,
        bit_or(c.days) as days
    from cells_seen as c
    inner join scopes_keyed as s on c.cell_key = s.cell_key and c.era = s.local_date
    group by all
)

-- the day of somebody's first page view of the product, as a bit's number; 127 before the quarter
select
    s.quarter_start,
    s.scope_key,
    coalesce((f.first_day - q.first_week)::utinyint, 127::utinyint) as first_bit,
    s.days
from seen as s
inner join quarters as q on s.quarter_start = q.quarter_start
inner join scope_products as n on s.scope_key = n.scope_key
left join first_days as f
    on
        n.scope_product_id = f.product_id
        and s.visitor_key = f.visitor_key
        and q.first_week <= f.first_day
        and f.first_day < q.quarter_end
