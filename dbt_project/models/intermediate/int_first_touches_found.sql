{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views']}
) }}

with

visits as (
    select * from {{ ref('int_visits') }}
),

memberships as (
    select * from {{ ref('int_memberships') }}
),

cells as (
    {{ cells_numbered() }}
),

periods as (
    {{ periods_over(['month']) }}
),

days as (
    select
        d.grain,
        d.period_start,
        d.as_of_date as local_date
    from {{ ref('int_period_days') }} as d
    semi join periods as p on d.grain = p.grain and d.period_start = p.period_start
),

channels as (
    select distinct
        channel_number,
        channel
    from cells
),

{{ first_touches() }}

-- kept, so that a quarter is read from its months and not from all its visits
select
    t.scope_kind,
    t.scope_id,
    t.grain,
    t.visitor_key,
    c.channel,
    t.touch - c.channel_number::ubigint as touch_without_channel,
    t.period_start
from touches as t
inner join channels as c on {{ channel_number_of('t.touch') }} = c.channel_number
