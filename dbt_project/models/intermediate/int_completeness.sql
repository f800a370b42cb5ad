{% set maturing_feed_sets = kpi_columns() | selectattr('kpi_id', 'in', maturing_kpis()) | map(attribute='feed_set') | unique | list %}
{% set feed_sets = kpi_columns() | map(attribute='feed_set') | unique | list %}

with

scopes as (
    select distinct scope_kind, product_id, scope_id from {{ ref('int_scopes') }}
),

feed_days as (
    select * from {{ ref('int_scope_feed_days') }}
),

touched as (
    select
        layer,
        grain,
        period_start
    from {{ ref('int_periods_touched') }}
    where layer in ('values', 'matured')
),

period_days as (
    select * from {{ ref('int_period_days') }} where is_reported
),

feed_sets as (
    select * from (values
        {% for feed_set in feed_sets -%}
            {% for feed in feed_set.split('+') -%}
        ('{{ feed_set }}', '{{ feed }}'){{ "," if not (loop.last and loop.index0 == feed_set.split('+') | length - 1 and feed_set == feed_sets[-1]) }}
            {% endfor -%}
        {% endfor -%}
    ) as f (feed_set, feed)
),

windows_laid as (
    select
        f.feed_set,
        f.feed,
        s.scope_kind,
        s.product_id,
        s.scope_id,
        p.grain,
        p.period_start,
        p.as_of_date,
        p.last_day,
        p.preceding_start,
        (p.period_start - interval 1 day)::date as before_period,
        (p.preceding_start - interval 1 day)::date as before_preceding,
        (p.as_of_date - interval 7 day)::date as before_7_days,
        (p.as_of_date - interval 28 day)::date as before_28_days
    from feed_sets as f
    cross join scopes as s
    cross join period_days as p
    inner join touched as t
        on
            p.grain = t.grain
            and p.period_start = t.period_start
            and t.layer = {{ "case when f.feed_set in ('" ~ maturing_feed_sets | join("', '") ~ "') then 'matured' else 'values' end" }}
),

sums_found as (
    select
        w.*,
        d.first_day,
        d.is_history_unknown,
        d.landed_to_date,
        d.landed_to_date - coalesce(b.landed_to_date, 0) as landed_days,
        d.landed_to_date - coalesce(s.landed_to_date, 0) as landed_days_7,
        d.landed_to_date - coalesce(m.landed_to_date, 0) as landed_days_28,
        d.gaps_to_date - coalesce(b.gaps_to_date, 0) as period_gaps,
        d.gaps_to_date - coalesce(s.gaps_to_date, 0) as gaps_7_days,
        d.gaps_to_date - coalesce(m.gaps_to_date, 0) as gaps_28_days,
        d.gaps_to_date - coalesce(q.gaps_to_date, 0) as gaps_with_preceding,
        coalesce(b.landed_to_date, 0) - coalesce(q.landed_to_date, 0) as landed_days_preceding
    from windows_laid as w
    inner join feed_days as d
        on
            w.feed = d.feed and w.scope_kind = d.scope_kind and w.product_id = d.product_id
            and w.scope_id = d.scope_id and w.as_of_date = d.day
    {% for alias, day in [
        ('b', 'before_period'), ('s', 'before_7_days'), ('m', 'before_28_days'), ('q', 'before_preceding')
    ] -%}
    left join feed_days as {{ alias }}
        on
            w.feed = {{ alias }}.feed and w.scope_kind = {{ alias }}.scope_kind
            and w.product_id = {{ alias }}.product_id
            and w.scope_id = {{ alias }}.scope_id and w.{{ day }} = {{ alias }}.day
    {% endfor -%}
    where d.days_to_date > coalesce(b.days_to_date, 0)
),

feeds_joined as (
    select
        feed_set,
        scope_kind,
        product_id,
        scope_id,
        grain,
        period_start,
        as_of_date,
        last_day,
        preceding_start,
        before_7_days,
        before_28_days,
        max(first_day) as first_day,
        bool_or(is_history_unknown) as is_history_unknown,
        min(landed_to_date) as landed_days_to_date,
        min(landed_days) as landed_days,
        min(landed_days_7) as landed_days_7,
        min(landed_days_28) as landed_days_28,
        min(landed_days_preceding) as landed_days_preceding,
        max(period_gaps) as period_gaps,
        max(gaps_7_days) as gaps_7_days,
        max(gaps_28_days) as gaps_28_days,
        max(gaps_with_preceding) as gaps_with_preceding
    from sums_found
    group by all
),

-- gaps among the days on which a whole period is observed, and whether all of them are over
observations as (
    select
        f.feed_set,
        f.scope_kind,
        f.product_id,
        f.scope_id,
        f.grain,
        f.period_start,
        {% for name, days_after, days_between in [
            ('d1', 1, 0), ('d7', 7, 0), ('d30', 30, 0), ('within_7', 7, 7)
        ] -%}
        sum(d.has_gap::integer) filter (
            where f.period_start + {{ days_after - days_between }} <= d.day and d.day <= f.last_day + {{ days_after }}
        ) as gaps_{{ name }},
        {% endfor -%}
        max(d.day) as last_day_known
    from feeds_joined as f
    inner join feed_sets as s on f.feed_set = s.feed_set
    inner join feed_days as d
        on
            s.feed = d.feed
            and f.scope_kind = d.scope_kind
            and f.product_id = d.product_id
            and f.scope_id = d.scope_id
            and f.period_start <= d.day
            and d.day <= f.last_day + 30
    where f.feed_set in ('{{ maturing_feed_sets | join("', '") }}') and f.as_of_date = f.last_day
    group by f.feed_set, f.scope_kind, f.product_id, f.scope_id, f.grain, f.period_start
)

select
    f.feed_set,
    f.scope_kind,
    f.product_id,
    f.scope_id,
    f.grain,
    f.landed_days_to_date,
    f.landed_days,
    f.landed_days_7,
    f.landed_days_28,
    f.landed_days_preceding,
    {{ incomplete_because('period_gaps', 'f.period_start') }} as because_period,
    {{ incomplete_because('gaps_7_days', '(before_7_days + interval 1 day)') }} as because_trailing_7,
    {{ incomplete_because('gaps_28_days', '(before_28_days + interval 1 day)') }} as because_trailing_28,
    {{ incomplete_because('gaps_with_preceding', 'preceding_start') }} as because_with_preceding,
    {% for name, days_after in [('d1', 1), ('d7', 7), ('d30', 30), ('within_7', 7)] -%}
    coalesce(
        {{ incomplete_because('period_gaps + coalesce(o.gaps_' ~ name ~ ', 0)', 'f.period_start') }},
        case when f.last_day + {{ days_after }} > o.last_day_known then 'period_open' end
    ) as because_observed_{{ name }},
    {% endfor -%}
    f.period_start,
    f.as_of_date
from feeds_joined as f
left join observations as o
    on
        f.feed_set = o.feed_set
        and f.scope_kind = o.scope_kind
        and f.product_id = o.product_id
        and f.scope_id = o.scope_id
        and f.grain = o.grain
        and f.period_start = o.period_start
        and f.as_of_date = f.last_day
