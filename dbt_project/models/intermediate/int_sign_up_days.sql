{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'matured_days', 'feeds': ['user_growth']}
) }}

with

days_touched as (
    select period_start as day from {{ ref('int_periods_touched') }} where layer = 'matured' and grain = 'day'
),

users as not materialized (
    select * from {{ ref('int_users_known') }}
),

user_quarters as not materialized (
    select * from {{ ref('int_user_quarters') }}
),

slices as (
    select * from {{ ref('stg_landing__slices') }} where feed = 'user_growth' and status = 'landed'
),

sign_ups_touched as (
    select u.*
    from users as u
    semi join days_touched as d on u.local_date = d.day
),

-- of whoever signed up in several products all sign-ups are needed: at a scope of both the first one counts
sign_ups as (
    select * from sign_ups_touched
    union all
    select u.*
    from users as u
    semi join (select t.person_key from sign_ups_touched as t where t.is_in_several) as s on u.person_key = s.person_key
    anti join days_touched as d on u.local_date = d.day
    where u.is_in_several
),

-- the days that landed as bits, that of the sign-up the lowest
days_landed as (
    select
        s.product_id,
        d.day,
        bit_or(1::bigint << (s.day - d.day)) as landed_days
    from days_touched as d
    inner join slices as s on d.day <= s.day and s.day <= d.day + 30
    group by s.product_id, d.day
),

quarters_after as not materialized (
    select
        person_key,
        member_key,
        quarter_start,
        active_days,
        activation_days
    from user_quarters
    where quarter_start > (select min(d.day) - 93 from days_touched as d)
),

days_active as (
    select
        s.member_key,
        bit_or({{ days_since('q.active_days', 'q.quarter_start', 's.local_date') }}) as active_days,
        bit_or({{ days_since('q.activation_days', 'q.quarter_start', 's.local_date') }}) as activation_days
    from sign_ups as s
    inner join quarters_after as q
        on
            s.member_key = q.member_key
            and q.quarter_start <= s.local_date + 30
            and s.local_date < q.quarter_start + 93
    group by s.member_key
),

days_active_in_space as (
    select
        s.member_key,
        bit_or({{ days_since('q.active_days', 'q.quarter_start', 's.local_date') }}) as active_days
    from sign_ups as s
    inner join quarters_after as q
        on
            s.person_key = q.person_key
            and q.quarter_start <= s.local_date + 30
            and s.local_date < q.quarter_start + 93
    where s.is_in_several
    group by s.member_key
),

-- whoever has no observation day that landed is left out
sign_ups_followed as (
    select
        s.source_product_id,
        s.person_key,
        s.member_key,
        s.channel,
        s.campaign,
        s.is_in_several,
        s.is_invited,
        {% for n in [1, 7, 30] -%}
        {{ has_days('l.landed_days', 2 ** n) }} as is_observed_d{{ n }},
        {{ has_days('l.landed_days', 2 ** n) }} and {{ has_days('a.active_days', 2 ** n) }} as is_retained_d{{ n }},
        {{ has_days('l.landed_days', 2 ** n) }}
        and {{ has_days('coalesce(p.active_days, a.active_days)', 2 ** n) }} as is_retained_in_space_d{{ n }},
        {% endfor -%}
        coalesce(l.landed_days & 255 = 255, false) as is_activation_observed,
        coalesce(l.landed_days & 255 = 255, false)
        and (s.is_activated_at_once or {{ has_days('a.activation_days', 254) }}) as is_activated,
        s.local_date,
        s.signed_up_at
    from sign_ups as s
    left join days_landed as l on s.source_product_id = l.product_id and s.local_date = l.day
    left join days_active as a on s.member_key = a.member_key
    left join days_active_in_space as p on s.member_key = p.member_key
),

cells as (
    select distinct
        source_product_id as product_id,
        local_date,
        channel,
        campaign
    from sign_ups
),

scopes as (
    {{ cell_scopes() }}
    union all
    select
        c.product_id,
        c.local_date,
        c.channel,
        c.campaign,
        'campaign' as scope_kind,
        c.product_id as scope_product_id,
        c.campaign as scope_id
    from cells as c
),

by_cell as (
    select
        source_product_id,
        local_date,
        channel,
        campaign,
        is_in_several,
        count(*) as sign_ups,
        count_if(is_invited) as invited_sign_ups,
        {% for n in [1, 7, 30] -%}
        count_if(is_observed_d{{ n }}) as d{{ n }}_observed_users,
        count_if(is_retained_d{{ n }}) as d{{ n }}_retained_users,
        {% endfor -%}
        count_if(is_activation_observed) as activation_observed_users,
        count_if(is_activated) as activated_users
    from sign_ups_followed
    group by all
),

-- over several products a person signs up once
first_in_scope as (
    select
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        f.*
    from sign_ups_followed as f
    inner join scopes as s
        on
            f.source_product_id = s.product_id
            and f.local_date = s.local_date
            and f.channel = s.channel
            and f.campaign = s.campaign
    where f.is_in_several and s.scope_product_id = '(all)'
    qualify row_number() over (
        partition by s.scope_kind, s.scope_id, f.person_key
        order by f.local_date, f.signed_up_at, f.source_product_id
    ) = 1
),

scoped as (
    select
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        b.local_date,
        b.sign_ups,
        b.invited_sign_ups,
        {% for n in [1, 7, 30] -%}
        b.d{{ n }}_observed_users,
        b.d{{ n }}_retained_users,
        {% endfor -%}
        b.activation_observed_users,
        b.activated_users
    from by_cell as b
    inner join scopes as s
        on
            b.source_product_id = s.product_id
            and b.local_date = s.local_date
            and b.channel = s.channel
            and b.campaign = s.campaign
    where not (b.is_in_several and s.scope_product_id = '(all)')
    union all by name
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        1 as sign_ups,
        is_invited::integer as invited_sign_ups,
        {% for n in [1, 7, 30] -%}
        is_observed_d{{ n }}::integer as d{{ n }}_observed_users,
        is_retained_in_space_d{{ n }}::integer as d{{ n }}_retained_users,
        {% endfor -%}
        is_activation_observed::integer as activation_observed_users,
        is_activated::integer as activated_users
    from first_in_scope
)

select
    s.scope_kind,
    s.product_id,
    s.scope_id,
    sum(s.sign_ups)::bigint as sign_ups,
    sum(s.invited_sign_ups)::bigint as invited_sign_ups,
    {% for n in [1, 7, 30] -%}
    sum(s.d{{ n }}_observed_users)::bigint as d{{ n }}_observed_users,
    sum(s.d{{ n }}_retained_users)::bigint as d{{ n }}_retained_users,
    {% endfor -%}
    sum(s.activation_observed_users)::bigint as activation_observed_users,
    sum(s.activated_users)::bigint as activated_users,
    s.local_date
from scoped as s
semi join days_touched as d on s.local_date = d.day
group by s.scope_kind, s.product_id, s.scope_id, s.local_date
