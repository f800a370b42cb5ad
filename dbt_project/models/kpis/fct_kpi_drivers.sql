{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views', 'traffic', 'exposure', 'user_growth'], 'has_maturing_kpis': true}
) }}

{%- set keys = ['kpi_id', 'product_id', 'scope_kind', 'scope_id', 'grain'] %}
{#- unique counts do not split over members that overlap; these dimensions split them exclusively #}
{%- set exclusive = {'active_users': 'growth_accounting', 'unique_visitors': 'first_touch_channel'} %}

with

kpi_values as (
    select * from {{ ref('fct_kpi_values') }}
    where
        grain <> 'day'
        and as_of_date = period_end - 1
        and scope_kind in ('company', 'product', 'team', 'channel', 'campaign', 'device', 'content_type')
),

members as (
    select * from {{ ref('int_members_summed') }}
),

first_touches as (
    select * from {{ ref('int_first_touches_counted') }}
),

kpis as (
    select * from {{ ref('dim_kpis') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

changes as (
    select * from {{ ref('int_scope_changes') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer in ('values', 'matured') and grain <> 'day'
),

comparisons as (
    select
        p.grain,
        p.period_start,
        p.period_end,
        c.comparison,
        case c.comparison when 'previous' then p.comparison_start else p.last_year_start end as before_start
    from periods as p
    semi join touched as t on p.grain = t.grain and p.period_start = t.period_start
    cross join (select unnest(['previous', 'last_year']) as comparison) as c
),

needed_periods as (
    select grain, period_start from comparisons
    union
    select grain, before_start from comparisons
),

changed_between as (
    select distinct
        c.scope_kind,
        c.scope_id,
        p.grain,
        p.period_start,
        p.comparison
    from changes as c
    inner join comparisons as p on p.before_start < c.changed_on and c.changed_on < p.period_end
),

-- both sides of every change, and why it cannot be told from the values alone
asked as (
    select
        v.kpi_id,
        v.product_id,
        v.scope_kind,
        v.scope_id,
        v.grain,
        v.period_start,
        v.as_of_date,
        c.comparison,
        c.before_start,
        b.value as v0,
        v.value as v1,
        b.numerator as n0,
        b.denominator as d0,
        v.numerator as n1,
        v.denominator as d1,
        case
            when k.is_additive then 'additive'
            when k.denominator is not null then 'ratio'
        end as method,
        case
            when g.scope_id is not null then 'ownership_changed'
            when v.incomplete_because is not null then v.incomplete_because
            when b.kpi_id is null then 'no_' || c.comparison || '_period'
            when b.incomplete_because is not null then c.comparison || '_' || b.incomplete_because
            when v.value is null or b.value is null then 'no_value'
        end as reason,
        row_number() over (
            order by
                {% for key in keys -%} v.{{ key }}, {% endfor -%}
                v.period_start, c.comparison
        ) as ask
    from kpi_values as v
    inner join touched as t
        on
            v.grain = t.grain
            and v.period_start = t.period_start
            and t.layer = case when v.kpi_id in ('{{ maturing_kpis() | join("', '") }}') then 'matured' else 'values' end
    inner join comparisons as c on v.grain = c.grain and v.period_start = c.period_start
    inner join kpis as k on v.kpi_id = k.kpi_id
    left join kpi_values as b
        on
            {% for key in keys -%} v.{{ key }} = b.{{ key }} and {% endfor -%}
            c.before_start = b.period_start
    left join changed_between as g
        on
            v.scope_kind = g.scope_kind
            and v.scope_id = g.scope_id
            and v.grain = g.grain
            and v.period_start = g.period_start
            and c.comparison = g.comparison
    where v.scope_kind in ('company', 'product', 'team')
),

members_needed as (
    select m.*
    from members as m
    semi join needed_periods as n on m.grain = n.grain and m.period_start = n.period_start
),

{%- set of_members = kpis_of_members() %}

-- a KPI's members from what was summed for them; of other KPIs, from the values of the scopes within
parts as (
    {% for kpi in of_members -%}
    select
        '{{ kpi.kpi_id }}' as kpi_id,
        product_id,
        scope_kind,
        scope_id,
        grain,
        period_start,
        dimension,
        member,
        coalesce({{ kpi.numerator }}, 0) as n,
        {{ "coalesce(" ~ kpi.denominator ~ ", 0)" if kpi.denominator else "0" }} as d
    from members_needed
    where
        (n <> 0 or d <> 0)
        {%- if not kpi.has_device %}
        and dimension <> 'device'
        {%- endif %}
        {%- if kpi.is_beside %}
        and (scope_kind = 'team' or dimension not in ('{{ kpi.has_scopes_within | join("', '") }}'))
        {%- endif %}
    union all
    {% endfor -%}
    select
        v.kpi_id,
        w.product_id,
        w.scope_kind,
        w.scope_id,
        v.grain,
        v.period_start,
        w.dimension,
        w.member,
        coalesce(case when k.is_additive then v.value else v.numerator end, 0) as n,
        coalesce(v.denominator, 0) as d
    from kpi_values as v
    semi join needed_periods as p on v.grain = p.grain and v.period_start = p.period_start
    inner join kpis as k on v.kpi_id = k.kpi_id and (k.is_additive or k.denominator is not null)
    cross join lateral (
        select
            v.product_id,
            case when v.product_id = '(all)' then 'company' else 'product' end as scope_kind,
            v.product_id as scope_id,
            v.scope_kind as dimension,
            v.scope_id as member
        where v.scope_kind in ('channel', 'campaign', 'device', 'content_type')
        union all
        select '(all)', 'company', '(all)', 'product', v.product_id
        where v.scope_kind = 'product' and k.unit <> 'money'
        union all
        select '(all)', 'company', '(all)', 'content_type', v.scope_id
        where v.scope_kind = 'content_type'
    ) as w
    where
        (
            w.dimension = 'content_type'
            or v.kpi_id not in ('{{ of_members | rejectattr('is_beside') | map(attribute='kpi_id') | join("', '") }}')
        )
        and not (
            v.kpi_id in ('{{ of_members | selectattr('is_beside') | map(attribute='kpi_id') | join("', '") }}')
            and w.dimension not in ('channel', 'product')
        )
        and (n <> 0 or d <> 0)
),

asked_of_sides as (
    select ask, {{ keys | join(", ") }}, period_start, 1 as side
    from asked
    where reason is null
    union all
    select ask, {{ keys | join(", ") }}, before_start, 0 as side
    from asked
    where reason is null
),

members_on_sides as (
    select
        a.ask,
        p.dimension,
        p.member,
        coalesce(sum(p.n) filter (where a.side = 0), 0) as n0,
        coalesce(sum(p.d) filter (where a.side = 0), 0) as d0,
        coalesce(sum(p.n) filter (where a.side = 1), 0) as n1,
        coalesce(sum(p.d) filter (where a.side = 1), 0) as d1
    from asked_of_sides as a
    inner join parts as p
        on
            {% for key in keys -%} a.{{ key }} = p.{{ key }} and {% endfor -%}
            a.period_start = p.period_start
    group by a.ask, p.dimension, p.member
),

-- active users do not split over members that overlap, but who came and who went are exclusive
accounted as (
    select
        a.ask,
        'growth_accounting' as dimension,
        case v.kpi_id
            when 'new_active_users' then 'new'
            when 'retained_users' then 'retained'
            when 'resurrected_users' then 'resurrected'
            when 'churned_users' then 'churned'
        end as member,
        case when v.kpi_id in ('retained_users', 'churned_users') then v.value else 0 end as n0,
        0 as d0,
        case when v.kpi_id <> 'churned_users' then v.value else 0 end as n1,
        0 as d1
    from asked as a
    inner join kpi_values as v
        on
            a.product_id = v.product_id
            and a.scope_kind = v.scope_kind
            and a.scope_id = v.scope_id
            and a.grain = v.grain
            and a.period_start = v.period_start
            and v.kpi_id in ('new_active_users', 'retained_users', 'resurrected_users', 'churned_users')
    where a.kpi_id = 'active_users' and a.comparison = 'previous' and a.reason is null and v.value is not null
),

-- neither do visitors, but each came first by one channel
touched_first as (
    select
        a.ask,
        'first_touch_channel' as dimension,
        f.channel as member,
        coalesce(max(f.visitors) filter (where a.side = 0), 0) as n0,
        0 as d0,
        coalesce(max(f.visitors) filter (where a.side = 1), 0) as n1,
        0 as d1
    from asked_of_sides as a
    inner join first_touches as f
        on
            a.product_id = f.product_id
            and a.scope_kind = f.scope_kind
            and a.scope_id = f.scope_id
            and a.grain = f.grain
            and a.period_start = f.period_start
    where a.kpi_id = 'unique_visitors'
    group by a.ask, f.channel
),

-- page views beside those of content
viewed_beside_content as (
    select
        a.ask,
        'content_type' as dimension,
        '(other)' as member,
        any_value(a.v0) - sum(m.n0) as n0,
        0 as d0,
        any_value(a.v1) - sum(m.n1) as n1,
        0 as d1
    from members_on_sides as m
    inner join asked as a on m.ask = a.ask
    where m.dimension = 'content_type' and a.kpi_id = 'page_views'
    group by a.ask
    having any_value(a.v0) > sum(m.n0) or any_value(a.v1) > sum(m.n1)
),

sides as (
    select * from members_on_sides
    union all
    select * from accounted
    union all
    select * from touched_first
    union all
    select * from viewed_beside_content
),

{%- set chains = driver_chains() %}

factors_asked as (
    {% for kpi_id, chain in chains.items() -%}
    {% for factor, numerator, denominator in chain -%}
    select
        a.ask,
        '{{ factor }}' as factor,
        a.side,
        m.member,
        {{ "m." ~ numerator ~ (" / nullif(m." ~ denominator ~ ", 0)" if denominator else "") }} as f
    from asked_of_sides as a
    inner join members_needed as m
        on
            a.product_id = m.product_id
            and a.scope_kind = m.scope_kind
            and a.scope_id = m.scope_id
            and a.grain = m.grain
            and a.period_start = m.period_start
            and m.dimension = 'channel'
    where a.kpi_id = '{{ kpi_id }}'
    {{ "union all" if not loop.last }}
    {% endfor -%}
    {{ "union all" if not loop.last }}
    {% endfor -%}
),

factors as (
    select
        ask,
        member,
        factor,
        max(f) filter (where side = 0) as f0,
        max(f) filter (where side = 1) as f1
    from factors_asked
    group by all
),

-- a chain is told when each feed of its factors landed on both sides, or the scope has none of it
chains_blocked as (
    {% for kpi_id, chain in chains.items() -%}
    select
        a.ask,
        min(f.reason) as reason
    from asked as a
    inner join asked as f
        on
            a.product_id = f.product_id
            and a.scope_kind = f.scope_kind
            and a.scope_id = f.scope_id
            and a.grain = f.grain
            and a.period_start = f.period_start
            and a.comparison = f.comparison
    where
        a.kpi_id = '{{ kpi_id }}'
        and f.reason is not null
        and f.kpi_id in ('{{ chain | map("first") | join("', '") }}', '{{ chain | map(attribute=1) | join("', '") }}')
        and f.reason <> 'no_value'
    group by a.ask
    {{ "union all" if not loop.last }}
    {% endfor -%}
),

chained as (
    select
        s.ask,
        'funnel' as dimension,
        s.member,
        s.n0 as v0,
        s.n1 as v1
    from sides as s
    inner join asked as a on s.ask = a.ask
    anti join chains_blocked as x on s.ask = x.ask
    where a.kpi_id in ('{{ chains | join("', '") }}') and s.dimension = 'channel'
),

-- what the members come to must be the whole, on both sides: else they overlap, or some are missing
summed as (
    select
        ask,
        dimension,
        sum(n0) as n0,
        sum(d0) as d0,
        sum(n1) as n1,
        sum(d1) as d1
    from sides
    group by ask, dimension
),

compared as (
    select
        a.ask,
        s.dimension,
        case when s.dimension in ('{{ exclusive.values() | join("', '") }}') then 'additive' else a.method end as method,
        -- a ratio in another unit, such as per thousand, is its numerator per denominator times a constant
        coalesce(a.v1 * a.d1 / nullif(a.n1, 0), a.v0 * a.d0 / nullif(a.n0, 0), 1) as scale,
        a.n0,
        a.d0,
        a.n1,
        a.d1,
        case
            when s.dimension in ('{{ exclusive.values() | join("', '") }}') or a.method = 'additive'
                then
                    abs(s.n0 - a.v0) <= {{ nearness('a.v0', 'a.v0') }}
                    and abs(s.n1 - a.v1) <= {{ nearness('a.v1', 'a.v1') }}
            when a.method = 'ratio'
                then
                    abs(s.n0 - a.n0) <= {{ nearness('a.n0', 'a.n0') }}
                    and abs(s.n1 - a.n1) <= {{ nearness('a.n1', 'a.n1') }}
                    and abs(s.d0 - a.d0) <= {{ nearness('a.d0', 'a.d0') }}
                    and abs(s.d1 - a.d1) <= {{ nearness('a.d1', 'a.d1') }}
                    and abs(scale * a.n0 / a.d0 - a.v0) <= {{ nearness('a.v0', 'a.v0') }}
                    and abs(scale * a.n1 / a.d1 - a.v1) <= {{ nearness('a.v1', 'a.v1') }}
            else false
        end as adds_up,
        case a.method
            when 'additive'
                then
                    s.n0 - a.v0 > {{ nearness('a.v0', 'a.v0') }}
                    or s.n1 - a.v1 > {{ nearness('a.v1', 'a.v1') }}
            when 'ratio'
                then
                    s.n0 - a.n0 > {{ nearness('a.n0', 'a.n0') }}
                    or s.n1 - a.n1 > {{ nearness('a.n1', 'a.n1') }}
                    or s.d0 - a.d0 > {{ nearness('a.d0', 'a.d0') }}
                    or s.d1 - a.d1 > {{ nearness('a.d1', 'a.d1') }}
        end as is_exceeded
    from summed as s
    inner join asked as a on s.ask = a.ask
),

totals as (
    select * from compared where adds_up
),

contributed as (
    {{ contributions() }}
),

chains_contributed as (
    {{ chain_contributions() }}
),

reversed as (
    {{ reversals() }}
),

explained as (
    select * from contributed
    union all
    select c.*
    from chains_contributed as c
    inner join totals as t on c.ask = t.ask and t.dimension = 'channel'
),

-- added in the same order, whatever order the rows came in
left_over as (
    select
        e.ask,
        e.dimension,
        any_value(a.v1 - a.v0) - list_sum(list(e.contribution order by e.member, e.effect)) as contribution
    from explained as e
    inner join asked as a on e.ask = a.ask
    group by e.ask, e.dimension
),

-- one row for every dimension that was not told, at least for the channels
not_computed as (
    select
        a.ask,
        coalesce(c.dimension, 'channel') as dimension,
        case
            when a.reason is not null then a.reason
            when a.method is null then 'members_overlap'
            when c.ask is null then 'no_members'
            when c.is_exceeded then 'members_overlap'
            else 'members_do_not_add_up'
        end as reason
    from asked as a
    left join compared as c on a.ask = c.ask and c.dimension not in ('{{ exclusive.values() | join("', '") }}')
    where a.reason is not null or a.method is null or not coalesce(c.adds_up, false)
    union all
    {% for kpi_id, dimension in exclusive.items() -%}
    select
        a.ask,
        '{{ dimension }}' as dimension,
        coalesce(a.reason, case when c.ask is null then 'no_members' else 'members_do_not_add_up' end) as reason
    from asked as a
    left join compared as c on a.ask = c.ask and c.dimension = '{{ dimension }}'
    where
        a.kpi_id = '{{ kpi_id }}'
        and not coalesce(c.adds_up, false)
        {%- if dimension == 'growth_accounting' %}
        and a.comparison = 'previous'
        {%- endif %}
    union all
    {% endfor -%}
    select
        a.ask,
        'funnel' as dimension,
        coalesce(a.reason, x.reason, case when c.ask is null then 'no_members' else 'members_do_not_add_up' end)
            as reason
    from asked as a
    left join chains_blocked as x on a.ask = x.ask
    left join compared as c on a.ask = c.ask and c.dimension = 'channel'
    where
        a.kpi_id in ('{{ chains | join("', '") }}')
        and (a.reason is not null or x.reason is not null or not coalesce(c.adds_up, false))
),

rows_laid as (
    select
        ask,
        dimension,
        member,
        effect,
        contribution,
        null::varchar as reason
    from explained
    union all
    select
        ask,
        dimension,
        '(all)' as member,
        'residual' as effect,
        contribution,
        null::varchar as reason
    from left_over
    union all
    select
        ask,
        dimension,
        '(all)' as member,
        'not_computed' as effect,
        null::double as contribution,
        reason
    from not_computed
)

select
    a.kpi_id,
    a.product_id,
    a.scope_kind,
    a.scope_id,
    a.grain,
    a.period_start,
    a.as_of_date,
    a.comparison,
    r.dimension,
    r.member,
    r.effect,
    r.contribution,
    coalesce(v.is_reversed, false) as is_reversed,
    r.reason
from rows_laid as r
inner join asked as a on r.ask = a.ask
left join reversed as v on r.ask = v.ask and r.dimension = v.dimension
