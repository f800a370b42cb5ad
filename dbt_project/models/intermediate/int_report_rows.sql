{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'status', 'feeds': ['page_views', 'traffic', 'exposure', 'user_growth']}
) }}

with

reports as (
    select * from {{ ref('int_reports') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

days as (
    select * from {{ ref('int_calendar_days') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'status'
),

reader_scopes as (
    select * from {{ ref('int_reader_scopes') }}
),

scope_products as (
    select * from {{ ref('int_scope_products') }}
),

stages as (
    select * from {{ ref('int_period_stages') }}
),

kpis as (
    select * from {{ ref('dim_kpis') }}
),

kpi_status as (
    select * from {{ ref('fct_kpi_status') }}
),

kpi_values as (
    select * from {{ ref('fct_kpi_values') }}
),

company as (
    select * from {{ ref('dim_company') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

channels as (
    select * from {{ ref('dim_channels') }}
),

teams as (
    select * from {{ ref('dim_teams') }}
),

people as (
    select * from {{ ref('dim_people') }}
),

-- who reads what for which period that is over: as things stand on its last day
reads as (
    select distinct
        r.report,
        r.rank,
        p.grain,
        p.period_start,
        p.period_end,
        p.last_day,
        s.person_id,
        s.section,
        s.scope_kind,
        s.product_id,
        s.scope_id
    from reports as r
    inner join periods as p on r.grain = p.grain
    inner join touched as t on p.grain = t.grain and p.period_start = t.period_start
    inner join reader_scopes as s
        on r.rank = s.rank and s.valid_from <= p.last_day and p.last_day < s.valid_until
    where p.last_day <= (select max(d.day) from days as d)
),

-- the stages a scope is judged by: its product's, or those of all products it covers
scope_stages as (
    select
        sp.scope_kind,
        sp.product_id,
        sp.scope_id,
        st.grain,
        st.period_start,
        st.stage,
        bool_and(st.is_past) as is_past,
        case when sp.product_id <> '(all)' then max(st.judged_on) end as judged_on
    from scope_products as sp
    inner join stages as st
        on
            sp.source_product_id = st.product_id
            and sp.valid_from <= st.judged_on
            and st.judged_on < sp.valid_to
    where sp.product_id <> '(all)' or not st.is_past
    group by sp.scope_kind, sp.product_id, sp.scope_id, st.grain, st.period_start, st.stage
),

roles_by_stage as (
    select
        kpi_id,
        'brand' as stage,
        brand_role as role
    from kpis
    where brand_role is not null
    union all
    select
        kpi_id,
        'growth' as stage,
        growth_role as role
    from kpis
    where growth_role is not null
),

-- a stage that ended inside the period shows its headlines once more, up to its last day
roles_of_stages as (
    select
        s.scope_kind,
        s.product_id,
        s.scope_id,
        s.grain,
        s.period_start,
        r.kpi_id,
        case when s.product_id <> '(all)' then s.stage end as stage,
        coalesce(s.is_past and s.product_id <> '(all)', false) as is_past_stage,
        s.judged_on,
        r.role
    from scope_stages as s
    inner join roles_by_stage as r on s.stage = r.stage
    where not s.is_past or r.role = 'headline'
    qualify row_number() over (
        partition by s.scope_kind, s.product_id, s.scope_id, s.grain, s.period_start, r.kpi_id, s.is_past
        order by r.role, s.stage
    ) = 1
),

-- what headlined the stage before is not said again as support of the new one
roles as (
    select *
    from roles_of_stages
    qualify
        role = 'headline'
        or not bool_or(is_past_stage) over (
            partition by scope_kind, product_id, scope_id, grain, period_start, kpi_id
        )
),

rows_found as (
    select
        r.report,
        r.grain,
        r.person_id,
        r.period_start,
        r.period_end,
        r.section,
        r.product_id,
        r.scope_kind,
        r.scope_id,
        o.stage,
        o.is_past_stage,
        o.role,
        k.kpi_id,
        k.unit,
        k.direction,
        k.sort,
        s.as_of_date,
        s.value,
        s.is_complete,
        v.incomplete_because,
        v.scope_changed,
        s.previous_value,
        s.previous_change,
        s.previous_change_share,
        s.last_year_value,
        s.last_year_change,
        s.last_year_change_share,
        -- a stage that ended inside the period answers for its days' share of what adds up over days
        case
            when s.as_of_date = r.last_day then s.target
            when k.is_additive
                then s.target * (s.as_of_date - r.period_start + 1) / (r.period_end - r.period_start)
        end as target_to_date,
        case when s.attainment is not null then {{ ratio('s.value', 'target_to_date') }} end as attainment,
        s.reason
    from reads as r
    inner join roles as o
        on
            r.scope_kind = o.scope_kind
            and r.product_id = o.product_id
            and r.scope_id = o.scope_id
            and r.grain = o.grain
            and r.period_start = o.period_start
    inner join kpis as k
        on
            o.kpi_id = k.kpi_id
            and list_contains(k.scopes, r.scope_kind)
            and list_contains(k.report_grains, r.grain)
    inner join kpi_status as s
        on
            k.kpi_id = s.kpi_id
            and r.product_id = s.product_id
            and r.scope_kind = s.scope_kind
            and r.scope_id = s.scope_id
            and r.grain = s.grain
            and r.period_start = s.period_start
            and s.as_of_date = case
                when o.is_past_stage and r.grain in ('month', 'quarter') then o.judged_on
                else r.last_day
            end
    inner join kpi_values as v
        on
            s.kpi_id = v.kpi_id
            and s.product_id = v.product_id
            and s.scope_kind = v.scope_kind
            and s.scope_id = v.scope_id
            and s.grain = v.grain
            and s.period_start = v.period_start
            and s.as_of_date = v.as_of_date
    where
        -- what is not of the reader's altitude is shown where a target was set for it
        (list_contains(k.altitudes, r.rank) or s.target is not null)
        and (o.role = 'headline' or r.section in ('mine', 'team', 'company', 'products'))
        -- what users do after the period is not known on its last day, whenever the report is made
        and not starts_with(k."window", 'observed')
        -- what is neither known nor withheld has nothing to say
        and (s.value is not null or v.incomplete_because = 'absent_days')
),

judged as (
    select
        * rename (target_to_date as target),
        case
            when previous_change is null or direction = 'neither' then 'none'
            when previous_change = 0 then 'flat'
            when (previous_change > 0) = (direction = 'up') then 'good'
            else 'bad'
        end as tone,
        coalesce(
            case direction when 'up' then attainment < 1 when 'down' then attainment > 1 end, false
        ) as is_behind_target,
        coalesce(
            incomplete_because = 'absent_days' or value is null, false
        ) as is_unknown,
        -- nothing happened, nothing did before, and nothing was asked for
        coalesce(incomplete_because, 'complete') <> 'absent_days'
        and coalesce(value, 0) = 0
        and coalesce(previous_value, 0) = 0
        and coalesce(last_year_value, 0) = 0
        and target is null as is_idle
    from rows_found
),

-- the reader's own number: one with a target before one without, a headline before what supports it,
-- something before nothing
lead_rows as (
    select
        * replace ('number' as section),
        0 as section_order,
        1 as rank_in_section
    from judged
    where section in ('mine', 'team', 'company')
    qualify row_number() over (
        partition by report, person_id, period_start
        order by target is null, role, is_unknown, is_idle, sort, kpi_id
    ) = 1
),

-- headlines and the reader's own figures behind their target, furthest behind first
attention_rows as (
    select
        * replace ('attention' as section),
        9 as section_order,
        row_number() over (
            partition by report, person_id, period_start
            order by
                case direction when 'down' then -attainment else attainment end,
                sort, scope_kind, product_id, scope_id
        ) as rank_in_section
    from judged
    where
        is_behind_target
        and (role = 'headline' or section in ('mine', 'team', 'company'))
        and not is_unknown
        and not is_past_stage
    qualify rank_in_section <= 5
),

plain_rows as (
    select
        *,
        case section
            when 'mine' then 1
            when 'team' then 1
            when 'company' then 1
            when 'people' then 2
            when 'products' then 3
            when 'teams' then 4
            when 'channels' then 5
        end as section_order,
        row_number() over (
            partition by report, person_id, period_start, section
            order by product_id, scope_id, is_past_stage, role, sort, kpi_id
        ) as rank_in_section
    from judged
    where not is_idle
),

all_rows as (
    select * from lead_rows
    union all by name
    select * from plain_rows
    union all by name
    select * from attention_rows
)

select
    a.report,
    a.grain,
    a.person_id,
    a.period_start,
    a.period_end,
    a.as_of_date,
    row_number() over (
        partition by a.report, a.person_id, a.period_start order by a.section_order, a.rank_in_section
    )::integer as position,
    a.section,
    a.product_id,
    a.scope_kind,
    a.scope_id,
    case a.scope_kind
        when 'company' then c.name
        when 'product' then p.name
        when 'channel' then coalesce(h.name, a.scope_id)
        when 'team' then t.name
        when 'person' then n.name
    end as scope_label,
    p.name as product_label,
    a.stage,
    a.kpi_id,
    a.role,
    a.value,
    a.is_complete,
    a.incomplete_because,
    a.scope_changed,
    case when a.unit = 'money' then coalesce(p.currency, c.currency) end as currency,
    a.previous_value,
    a.previous_change,
    a.previous_change_share,
    a.last_year_value,
    a.last_year_change,
    a.last_year_change_share,
    a.target,
    a.attainment,
    a.tone,
    a.reason
from all_rows as a
cross join company as c
left join products as p on a.product_id = p.product_id
left join channels as h on a.scope_kind = 'channel' and a.scope_id = h.channel
left join teams as t on a.scope_kind = 'team' and a.scope_id = t.team
left join (select distinct on (person_id) person_id, name from people order by person_id, valid_from desc) as n
    on a.scope_kind = 'person' and a.scope_id = n.person_id
