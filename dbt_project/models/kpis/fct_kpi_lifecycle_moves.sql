{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['user_growth']}
) }}

with

changes as (
    select * from {{ ref('int_label_changes') }}
),

populations as (
    select distinct
        population,
        is_product,
        is_in_company
    from {{ ref('int_populations') }}
),

period_days as (
    select * from {{ ref('int_period_days') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

counted as (
    select
        population,
        line,
        from_label,
        to_label,
        period_start as local_date,
        count(*) as moves
    from changes
    group by all
),

scoped as (
    select
        c.*,
        'product' as scope_kind,
        c.population as product_id,
        c.population as scope_id
    from counted as c
    inner join populations as p on c.population = p.population
    where p.is_product
    union all
    select
        c.*,
        'company' as scope_kind,
        '(all)' as product_id,
        '(all)' as scope_id
    from counted as c
    inner join populations as p on c.population = p.population
    where p.is_in_company
)

select
    s.product_id,
    s.scope_kind,
    s.scope_id,
    s.line,
    s.from_label,
    s.to_label,
    d.grain,
    sum(s.moves)::bigint as moves,
    d.period_start,
    d.period_end
from scoped as s
inner join period_days as d on s.local_date = d.as_of_date
inner join touched as t on d.grain = t.grain and d.period_start = t.period_start
group by all
