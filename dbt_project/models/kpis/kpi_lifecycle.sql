{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['user_growth'], 'family': 'lifecycle'}
) }}
{#- line, label and the KPI that counts who has it #}
{%- set labels = [
    ('transaction', 'prospect', 'prospects'),
    ('transaction', 'first_buyer', 'first_buyers'),
    ('transaction', 'repeat_buyer', 'repeat_buyers'),
    ('transaction', 'lapsing', 'lapsing_buyers'),
    ('transaction', 'lost', 'lost_buyers'),
    ('activity', 'new', 'newcomers'),
    ('activity', 'active', 'regular_users'),
    ('activity', 'core', 'core_users'),
    ('activity', 'key_opinion_leader', 'key_opinion_leaders'),
    ('activity', 'dormant', 'dormant_users'),
    ('value', 'top', 'value_top_users'),
    ('value', 'high', 'value_high_users'),
    ('value', 'middle', 'value_middle_users'),
    ('value', 'rest', 'value_rest_users')
] %}

with

moves as (
    select * from {{ ref('fct_kpi_lifecycle_moves') }} where grain = 'day'
),

sign_up_days as (
    select * from {{ ref('int_sign_ups_keyed') }} where inviter_key is not null
),

populations as (
    select * from {{ ref('int_populations') }}
),

redeemers as (
    select * from {{ ref('int_redeemers_compared') }} where redeemers > 0 and others > 0
),

spine as (
    {{ spine_of('users') }} and scope_kind in ('company', 'product')
),

-- who has a label is who got it and did not leave it
changes_by_day as (
    select
        scope_kind,
        product_id,
        period_start as local_date,
        {% for line, label, kpi in labels -%}
        sum(
            case when to_label = '{{ label }}' then moves when from_label = '{{ label }}' then -moves end
        ) filter (where line = '{{ line }}') as {{ kpi }}{{ "," if not loop.last }}
        {% endfor %}
    from moves
    group by all
),

days_in_view as (
    select distinct
        scope_kind,
        product_id,
        as_of_date as local_date
    from spine
),

all_days as (
    select * from changes_by_day
    union all by name
    select * from days_in_view
),

counted as (
    select
        scope_kind,
        product_id,
        local_date,
        {% for _, _, kpi in labels -%}
        coalesce(sum({{ kpi }}) over to_date, 0)::bigint as {{ kpi }}{{ "," if not loop.last }}
        {% endfor %}
    from all_days
    window to_date as (partition by scope_kind, product_id order by local_date)
),

counts as (
    select distinct * from counted
),

-- an invited user counts once in each population, on the first day
first_invitations as (
    select
        p.population,
        p.is_product,
        p.is_in_company,
        s.user_key,
        min(s.local_date) as local_date
    from sign_up_days as s
    inner join populations as p on s.source_product_id = p.source_product_id
    group by all
),

days as (
    select
        'product' as scope_kind,
        population as product_id,
        population as scope_id,
        local_date,
        count(*) as invited_sign_ups
    from first_invitations
    where is_product
    group by all
    union all
    select
        'company' as scope_kind,
        '(all)' as product_id,
        '(all)' as scope_id,
        local_date,
        count(*) as invited_sign_ups
    from first_invitations
    where is_in_company
    group by all
),

summed as (
    {{ summed_to_date(['invited_sign_ups']) }}
),

scopes_of_populations as (
    select distinct
        population,
        'product' as scope_kind,
        population as product_id
    from populations
    where is_product
    union all
    select distinct
        population,
        'company' as scope_kind,
        '(all)' as product_id
    from populations
    where is_in_company
),

-- redeemers beside as many of the others of their tier
redeemers_summed as (
    select
        p.scope_kind,
        p.product_id,
        r.grain,
        r.period_start,
        sum(r.redeemers) as redeemers,
        sum(r.others) as others,
        sum(r.active_days_of_redeemers) as active_days,
        sum((r.redeemers * r.active_days_of_others / r.others)::decimal(38, 12)) as active_days_expected
    from redeemers as r
    inner join scopes_of_populations as p on r.population = p.population
    group by all
),

redeemers_judged as (
    select
        scope_kind,
        product_id,
        grain,
        period_start,
        active_days::double - active_days_expected::double as active_days_beyond_peers,
        active_days_expected::double as active_days_of_peers
    from redeemers_summed
    where least(redeemers, others) >= {{ smallest_base_of('points_lift') }}
)

select
    {{ kpi_keys('s') }},
    {% for _, _, kpi in labels -%}
    c.{{ kpi }},
    {% endfor -%}
    coalesce(s.invited_sign_ups, 0)::bigint as invitations_accepted,
    c.core_users + c.key_opinion_leaders as users_at_the_core,
    {{ ratio('coalesce(s.invited_sign_ups, 0)', 'c.core_users + c.key_opinion_leaders') }}
        as invitations_per_core_user,
    r.active_days_beyond_peers,
    r.active_days_of_peers,
    {{ ratio('r.active_days_beyond_peers', 'r.active_days_of_peers') }} as points_lift
from summed as s
inner join counts as c
    on s.scope_kind = c.scope_kind and s.product_id = c.product_id and s.as_of_date = c.local_date
left join redeemers_judged as r
    on
        s.scope_kind = r.scope_kind
        and s.product_id = r.product_id
        and s.grain = r.grain
        and s.period_start = r.period_start
        and s.as_of_date = s.last_day
where s.is_reported
