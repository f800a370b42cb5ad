{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views', 'user_growth'], 'family': 'content'}
) }}

with

content as (
    select * from {{ ref('int_content_periods') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

periods as (
    select * from {{ ref('dim_periods') }}
),

mix as (
    {{ content_mix() }}
)

select
    'content_type' as scope_kind,
    c.product_id,
    c.content_type as scope_id,
    c.grain,
    c.period_start,
    p.last_day as as_of_date,
    p.period_end,
    c.content_items,
    c.content_items_of_all,
    {{ ratio('c.content_items', 'c.content_items_of_all') }} as content_mix_share,
    m.intended_share as intended_mix_share,
    {{ ratio('c.content_items', 'c.content_items_of_all') }} - m.intended_share as content_mix_gap,
    c.page_views as content_page_views,
    c.page_views_of_all as content_page_views_of_all,
    {{ ratio('c.page_views', 'c.page_views_of_all') }} as content_views_share,
    {{ ratio('c.page_views', 'c.page_views_of_all') }} - m.intended_share as content_views_gap
from content as c
inner join touched as t on c.grain = t.grain and c.period_start = t.period_start
inner join periods as p on c.grain = p.grain and c.period_start = p.period_start
left join mix as m on c.content_type = m.content_type
