{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views', 'traffic'], 'family': 'visits'}
) }}

with

visit_days as (
    select * from {{ ref('int_visit_days_scoped') }}
),

visitor_uniques as (
    select * from {{ ref('int_visitor_uniques') }}
),

traffic_days as (
    select * from {{ ref('int_traffic_days_scoped') }}
),

traffic_uniques as (
    select
        scope_kind,
        product_id,
        scope_id,
        grain,
        period_start,
        {{ agreed('visitors') }} as visitors,
        {{ agreed('new_visitors') }} as new_visitors
    from {{ ref('int_traffic_uniques') }}
    group by all
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

product_feeds as (
    select * from {{ ref('stg_landing__product_feeds') }} where feed = 'page_views'
),

scope_products as (
    select * from {{ ref('int_scope_products') }}
),

slices as (
    select * from {{ ref('stg_landing__slices') }}
),

excluded_days as (
    select * from {{ ref('int_excluded_page_views') }}
),

page_periods as (
    select * from {{ ref('int_page_periods') }}
),

content_periods as (
    select * from {{ ref('int_content_periods') }} where page_views is not null
),

periods as (
    select * from {{ ref('dim_periods') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

period_days as (
    select * from {{ ref('int_period_days') }}
),

calendar as (
    select max(day) as last_day from {{ ref('int_calendar_days') }}
),

spine as (
    {{ spine_of('visits') }}
),

-- each product's visits come from the feed its traffic_source names; the other is only compared
days_by_source as (
    select
        o.scope_kind,
        o.product_id,
        o.scope_id,
        o.local_date,
        case when p.traffic_source = 'own' then o.page_views end as page_views,
        case when p.traffic_source = 'own' then o.visits end as visits,
        case when p.traffic_source = 'own' then o.bounces end as bounces,
        case when p.traffic_source = 'own' then o.duration_milliseconds end as duration_milliseconds,
        0 as days_without_page_views,
        0 as days_without_bounces,
        (p.traffic_source = 'own' and not f.has_durations)::integer as days_without_durations,
        null::bigint as reported_visits,
        null::bigint as reported_page_views,
        case when s.status = 'landed' then o.visits end as compared_visits,
        null::bigint as compared_reported_visits,
        0 as excluded_page_views
    from visit_days as o
    inner join products as p on o.source_product_id = p.product_id
    inner join product_feeds as f on o.source_product_id = f.product_id
    left join slices as s
        on o.source_product_id = s.product_id and o.local_date = s.day and s.feed = 'traffic'
    union all
    select
        t.scope_kind,
        t.product_id,
        t.scope_id,
        t.local_date,
        case when p.traffic_source = 'backend' then t.page_views end as page_views,
        case when p.traffic_source = 'backend' then t.visits end as visits,
        case when p.traffic_source = 'backend' then t.bounces end as bounces,
        case when p.traffic_source = 'backend' then t.duration_milliseconds end as duration_milliseconds,
        (p.traffic_source = 'backend' and t.page_views is null)::integer as days_without_page_views,
        (p.traffic_source = 'backend' and t.bounces is null)::integer as days_without_bounces,
        (p.traffic_source = 'backend' and t.duration_milliseconds is null)::integer as days_without_durations,
        t.visits as reported_visits,
        t.page_views as reported_page_views,
        null::bigint as compared_visits,
        case when s.status = 'landed' then t.visits end as compared_reported_visits,
        0 as excluded_page_views
    from traffic_days as t
    inner join products as p on t.source_product_id = p.product_id
    left join slices as s
        on t.source_product_id = s.product_id and t.local_date = s.day and s.feed = 'page_views'
    union all by name
    select
        s.scope_kind,
        s.product_id,
        s.scope_id,
        x.local_date,
        x.excluded_page_views
    from excluded_days as x
    inner join scope_products as s
        on x.source_product_id = s.source_product_id and s.scope_kind in ('company', 'product')
    union all by name
    select
        u.scope_kind,
        u.product_id,
        u.scope_id,
        u.period_start as local_date,
        u.visitors as visitors_of_days,
        1 as days_with_visitors
    from traffic_uniques as u
    where u.grain = 'day' and u.visitors is not null
),

days as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        {% for measure in visit_measures() -%}
        sum({{ measure }}) as {{ measure }}{{ "," if not loop.last }}
        {% endfor %}
    from days_by_source
    group by all
),

scope_sources as (
    select
        s.scope_kind,
        s.product_id,
        s.scope_id,
        bool_or(p.traffic_source = 'backend') as has_backend,
        min(p.started_on) as started_on
    from scope_products as s
    inner join products as p on s.source_product_id = p.product_id
    group by all
),

summed_densely as (
    {{ summed_to_date(visit_measures()) }}
),

uniques_summed as (
    {{ summed_to_date(['unique_visitors', 'new_visitors'], days='visitor_uniques', by_period=true) }}
),

-- campaigns and devices have values of periods that are over and in which they were seen
summed_sparsely as (
    {{ summed_sparsely(visit_measures(), ['campaign', 'device'], is_seen='count(d.visits) > 0') }}
),

sparse_uniques as (
    select
        scope_kind,
        product_id,
        scope_id,
        grain,
        period_start,
        sum(unique_visitors) as unique_visitors,
        sum(new_visitors) as new_visitors
    from visitor_uniques
    where scope_kind in ('campaign', 'device')
    group by all
),

summed as (
    select
        {{ kpi_keys('s') }},
        s.last_day,
        {% for measure in visit_measures() -%}
        s.{{ measure }},
        {% endfor -%}
        u.unique_visitors,
        u.new_visitors,
        s.scope_kind as judged_kind,
        s.scope_id as judged_id
    from summed_densely as s
    inner join uniques_summed as u
        on
            s.scope_kind = u.scope_kind
            and s.product_id = u.product_id
            and s.scope_id = u.scope_id
            and s.grain = u.grain
            and s.period_start = u.period_start
            and s.as_of_date = u.as_of_date
    where s.is_reported
    union all by name
    select
        {{ kpi_keys('s') }},
        s.last_day,
        {% for measure in visit_measures() -%}
        s.{{ measure }},
        {% endfor -%}
        u.unique_visitors,
        u.new_visitors,
        'product' as judged_kind,
        s.product_id as judged_id
    from summed_sparsely as s
    left join sparse_uniques as u
        on
            s.scope_kind = u.scope_kind
            and s.product_id = u.product_id
            and s.scope_id = u.scope_id
            and s.grain = u.grain
            and s.period_start = u.period_start
),

joined as (
    select
        {{ kpi_keys('s') }},
        -- what a backend does not report is unknown, not 0
        case when coalesce(s.days_without_page_views, 0) = 0 then coalesce(s.page_views, 0) end::bigint
            as page_views,
        coalesce(s.visits, 0)::bigint as visits,
        case when coalesce(s.days_without_bounces, 0) = 0 then coalesce(s.bounces, 0) end::bigint as bounces,
        case
            when coalesce(s.days_without_durations, 0) = 0 then coalesce(s.duration_milliseconds, 0)
        end::double / 1000 as duration_seconds,
        -- a backend's uniques are known only for exactly the scope and period it reports
        case
            when c.has_backend then case when s.as_of_date = s.last_day then b.visitors end
            else coalesce(s.unique_visitors, 0)
        end::bigint as unique_visitors,
        case
            when s.period_start < c.started_on + interval '{{ var("new_product_days") }} days' then null
            when c.has_backend then case when s.as_of_date = s.last_day then b.new_visitors end
            else coalesce(s.new_visitors, 0)
        end::bigint as new_visitors,
        coalesce(s.reported_visits, 0)::bigint as reported_visits,
        coalesce(s.reported_page_views, 0)::bigint as reported_page_views,
        coalesce(s.compared_visits, 0)::bigint as compared_visits,
        coalesce(s.compared_reported_visits, 0)::bigint as compared_reported_visits,
        coalesce(s.excluded_page_views, 0)::bigint as excluded_page_views,
        case when c.has_backend then s.visitors_of_days end::bigint as visitors_of_days,
        case when c.has_backend then s.days_with_visitors end::bigint as days_with_visitors
    from summed as s
    inner join scope_sources as c
        on s.judged_kind = c.scope_kind and s.product_id = c.product_id and s.judged_id = c.scope_id
    left join traffic_uniques as b
        on
            s.scope_kind = b.scope_kind
            and s.product_id = b.product_id
            and s.scope_id = b.scope_id
            and s.grain = b.grain
            and s.period_start = b.period_start
),

pages as (
    select
        'page' as scope_kind,
        g.product_id,
        g.page as scope_id,
        g.grain,
        g.period_start,
        p.last_day as as_of_date,
        p.period_end,
        g.page_views,
        g.unique_visitors,
        g.entries as visits,
        -- of what is not told page by page, only counts are
        case when g.page <> '(other)' then g.bounces end as bounces,
        g.entries
    from page_periods as g
    inner join touched as t on g.grain = t.grain and g.period_start = t.period_start
    inner join periods as p on g.grain = p.grain and g.period_start = p.period_start
    inner join products as o on g.product_id = o.product_id and o.traffic_source = 'own'
),

content as (
    select
        'content_type' as scope_kind,
        c.product_id,
        c.content_type as scope_id,
        c.grain,
        c.period_start,
        p.last_day as as_of_date,
        p.period_end,
        c.page_views
    from content_periods as c
    inner join touched as t on c.grain = t.grain and c.period_start = t.period_start
    inner join periods as p on c.grain = p.grain and c.period_start = p.period_start
),

all_scopes as (
    select * from joined
    union all by name
    select * from pages
    union all by name
    select * from content
)

select
    {{ kpi_keys('j') }},
    j.page_views,
    j.unique_visitors,
    case when j.unique_visitors is null then j.visitors_of_days end as visitors_of_days,
    case when j.unique_visitors is null then j.days_with_visitors end as days_with_visitors,
    case
        when j.unique_visitors is null then {{ ratio('j.visitors_of_days', 'j.days_with_visitors') }}
    end as daily_visitors_mean,
    j.visits,
    j.bounces,
    j.duration_seconds,
    j.new_visitors,
    {{ ratio('j.new_visitors', 'j.unique_visitors') }} as new_visitor_share,
    {{ ratio('j.bounces', 'j.visits') }} as bounce_rate,
    {{ ratio('j.page_views', 'j.visits') }} as pages_per_visit,
    {{ ratio('j.duration_seconds', 'j.visits') }} as average_visit_duration_seconds,
    j.entries::bigint as entries,
    j.excluded_page_views,
    j.reported_visits,
    j.reported_page_views,
    j.compared_visits,
    j.compared_reported_visits - j.compared_visits as visits_difference,
    {{ ratio('j.compared_reported_visits - j.compared_visits', 'j.compared_visits') }} as visits_gap
from all_scopes as j
