{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views']}
) }}

with

-- read where days need them; of all there are it would be most of history
visits as not materialized (
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

channels as (
    select distinct
        channel_number,
        channel
    from cells
),

{{ first_touches('month') }}

-- kept, so that a quarter is read from its months and not from all its visits
select
    p.scope_kind,
    p.scope_id,
    p.grain,
    t.visitor_key,
    c.channel,
    t.touch - c.channel_number::ubigint as touch_without_channel,
    p.period_start
from touches as t
inner join parts as p on t.part_number = p.part_number
inner join channels as c on {{ channel_number_of('t.touch') }} = c.channel_number
