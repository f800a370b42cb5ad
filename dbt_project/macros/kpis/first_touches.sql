{#-
  Everybody's first visit in each of some periods, by product, and by team where it owns part of a product:
  of a product that a team owns for the whole period, its visitors' first visits are the product's.
  Reads the CTEs `visits`, `cells` (source_cell_key, source_product_id, channel, campaign, channel_number),
  `memberships`, `periods` (grain, period_start, period_end) and `days` (grain, period_start, local_date).
  Gives the CTEs `team_products` and `touches` (scope_kind, scope_id, grain, period_start, visitor_key, touch).
-#}
{% macro first_touches() %}
team_products as (
    select
        p.grain,
        p.period_start,
        m.scope_id,
        m.product_id,
        bool_or(
            m.what = 'product' and m.valid_from <= p.period_start and p.period_end <= m.valid_to
        ) as is_whole
    from memberships as m
    inner join periods as p on m.valid_from < p.period_end and p.period_start < m.valid_to
    where m.scope_kind = 'team' and m.what <> 'page_prefix'
    group by all
),

team_cells as (
    select
        t.grain,
        t.period_start,
        t.scope_id,
        c.source_cell_key,
        c.channel_number,
        m.valid_from,
        m.valid_to
    from team_products as t
    inner join memberships as m
        on m.scope_kind = 'team' and t.scope_id = m.scope_id and t.product_id = m.product_id
    inner join cells as c
        on
            t.product_id = c.source_product_id
            and case m.what
                when 'product' then true
                when 'channel' then m.which = c.channel
                when 'campaign' then m.which = c.campaign
                else false
            end
    where not t.is_whole
),

touches as (
    select
        'product' as scope_kind,
        c.source_product_id as scope_id,
        d.grain,
        d.period_start,
        v.visitor_key,
        min({{ touch('v.started_at', 'v.visit_number', 'c.channel_number') }}) as touch
    from visits as v
    inner join days as d on v.local_date = d.local_date
    inner join cells as c on v.source_cell_key = c.source_cell_key
    group by all
    union all
    select
        'team' as scope_kind,
        c.scope_id,
        d.grain,
        d.period_start,
        v.visitor_key,
        min({{ touch('v.started_at', 'v.visit_number', 'c.channel_number') }}) as touch
    from visits as v
    inner join days as d on v.local_date = d.local_date
    inner join team_cells as c
        on
            v.source_cell_key = c.source_cell_key
            and d.grain = c.grain
            and d.period_start = c.period_start
            and c.valid_from <= v.local_date
            and v.local_date < c.valid_to
    group by all
)
{% endmacro %}

{#- When a visit began, which of its day it was, and by which channel it came, as one number: the least is the first. -#}
{% macro touch(started_at, visit_number, channel_number) -%}
    ((epoch_ms({{ started_at }})::ubigint << 19) | (least({{ visit_number }}, 127)::ubigint << 12) | {{ channel_number }}::ubigint)
{%- endmacro %}

{#- The number of the channel in it; the channels' order by name decides where all else is the same. -#}
{% macro channel_number_of(touch) -%}
    ({{ touch }} & 4095)
{%- endmacro %}

{#- Channels and cells of the products whose page views are counted here, with numbers in the order of names. -#}
{% macro cells_numbered() %}
    select
        s.source_cell_key,
        s.source_product_id,
        s.channel,
        s.campaign,
        dense_rank() over (order by s.channel) as channel_number
    from {{ ref('int_visit_sources') }} as s
    inner join {{ ref('stg_organisation__products') }} as p
        on s.source_product_id = p.product_id and p.traffic_source = 'own'
{% endmacro %}

{#- Touched periods of some grains that are over. -#}
{% macro periods_over(grains) %}
    select
        p.grain,
        p.period_start,
        p.period_end
    from {{ ref('dim_periods') }} as p
    inner join {{ ref('int_periods_touched') }} as t
        on p.grain = t.grain and p.period_start = t.period_start and t.layer = 'values'
    where
        p.grain in ('{{ grains | join("', '") }}')
        and p.last_day <= (select max(c.day) from {{ ref('int_calendar_days') }} as c)
{% endmacro %}
