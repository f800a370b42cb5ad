{#-
  Everybody's first visit in each of some periods: of each product, and of each part of a product that a
  team owns; of a product that a team owns for the whole period, first visits are the product's.
  grain_read: the grain of the periods for which visits are read.
  Reads the CTEs `visits`, `cells` (source_cell_key, source_product_id, channel, campaign, channel_number),
  `memberships` and `periods` (grain, period_start, period_end), gives the CTEs
    team_products  grain, period_start, scope_id, product_id, is_whole
    parts          part_number, grain, period_start, scope_kind (product, team), scope_id
    touches        part_number, visitor_key, touch
  What is many is grouped by numbers alone: texts cost several times as much.
-#}
{% macro first_touches(grain_read) %}
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

parts as (
    select
        row_number() over (order by grain, period_start, scope_kind, scope_id)::integer as part_number,
        grain,
        period_start,
        scope_kind,
        scope_id
    from (
        select distinct
            p.grain,
            p.period_start,
            'product' as scope_kind,
            c.source_product_id as scope_id
        from periods as p
        cross join cells as c
        union
        select
            grain,
            period_start,
            'team' as scope_kind,
            scope_id
        from team_products
        where not is_whole
    ) as found
),

-- which cells of visits are in a part; of a team's only on the days on which it owns them
part_cells as (
    select
        r.part_number,
        c.source_cell_key,
        c.channel_number,
        p.grain,
        p.period_start,
        p.period_start as since,
        p.period_end as until
    from parts as r
    inner join periods as p on r.grain = p.grain and r.period_start = p.period_start
    inner join cells as c on r.scope_kind = 'product' and r.scope_id = c.source_product_id
    union all
    select distinct
        r.part_number,
        c.source_cell_key,
        c.channel_number,
        p.grain,
        p.period_start,
        greatest(p.period_start, m.valid_from) as since,
        least(p.period_end, m.valid_to) as until
    from parts as r
    inner join periods as p on r.grain = p.grain and r.period_start = p.period_start
    inner join team_products as t
        on
            r.scope_kind = 'team'
            and r.scope_id = t.scope_id
            and r.grain = t.grain
            and r.period_start = t.period_start
            and not t.is_whole
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
    where m.valid_from < p.period_end and p.period_start < m.valid_to
),

periods_read as (
    select
        row_number() over (order by period_start)::integer as period_number,
        grain,
        period_start
    from periods
    where grain = '{{ grain_read }}'
),

days_read as (
    select
        p.period_number,
        d.as_of_date as local_date
    from {{ ref('int_period_days') }} as d
    inner join periods_read as p on d.grain = p.grain and d.period_start = p.period_start
),

cells_read as (
    select
        p.period_number,
        c.source_cell_key,
        c.part_number,
        c.channel_number,
        c.since,
        c.until
    from part_cells as c
    inner join periods_read as p on c.grain = p.grain and c.period_start = p.period_start
),

touches as (
    select
        c.part_number,
        v.visitor_key,
        min({{ touch('v.started_at', 'v.visit_number', 'c.channel_number') }}) as touch
    from visits as v
    inner join days_read as d on v.local_date = d.local_date
    inner join cells_read as c
        on
            d.period_number = c.period_number
            and v.source_cell_key = c.source_cell_key
            and c.since <= v.local_date
            and v.local_date < c.until
    group by c.part_number, v.visitor_key
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
