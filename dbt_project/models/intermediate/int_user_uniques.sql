{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['user_growth']}
) }}

with

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

days as (
    select * from {{ ref('int_calendar_days') }}
),

period_days as (
    select * from {{ ref('int_period_days') }}
),

user_quarters as not materialized (
    select * from {{ ref('int_user_quarters') }}
),

profiles as not materialized (
    select * from {{ ref('int_user_profiles') }}
),

cells as (
    select * from {{ ref('int_user_cells') }}
),

memberships as (
    select * from {{ ref('int_memberships') }}
),

-- what is asked: touched periods that have a row, and the 7 and 28 days that end with each touched day
periods_reported as (
    select
        p.grain,
        p.period_start,
        p.preceding_start,
        max(p.as_of_date) as last_day
    from period_days as p
    inner join touched as t on p.grain = t.grain and p.period_start = t.period_start
    group by p.grain, p.period_start, p.preceding_start
    having bool_or(p.is_reported)
),

windows_asked as (
    select
        'period' as window_kind,
        grain,
        period_start,
        preceding_start,
        period_start as first_day,
        last_day
    from periods_reported
    union all
    select
        'trailing_' || w.length as window_kind,
        p.grain,
        p.period_start,
        (p.last_day - w.length + 1)::date as preceding_start,
        (p.last_day - w.length + 1)::date as first_day,
        p.last_day
    from periods_reported as p
    cross join (values (7), (28)) as w (length)
    where p.grain = 'day'
),

-- each window and the one before it as bits of the quarter it ends in and of the quarter before that
windows_numbered as (
    select
        row_number() over (order by w.window_kind, w.grain, w.period_start)::integer as window_number,
        w.*,
        d.quarter_start,
        w.grain in ('month', 'quarter') as is_curve
    from windows_asked as w
    inner join days as d on w.last_day = d.day
),

windows_as_bits as (
    select
        w.window_number,
        w.window_kind,
        w.grain,
        w.is_curve,
        w.period_start,
        w.last_day,
        w.quarter_start,
        {% for name, is_in, quarter in [
            ('days_now', '>=', '='), ('days_earlier', '>=', '<>'),
            ('preceding_now', '<', '='), ('preceding_earlier', '<', '<>')
        ] -%}
        coalesce(bit_or({{ day_bit('d.day', 'd.quarter_start') }}) filter (
            where d.day {{ is_in }} w.first_day and d.quarter_start {{ quarter }} w.quarter_start
        ), 0)::hugeint as {{ name }}{{ "," if not loop.last }}
        {% endfor %}
    from windows_numbered as w
    inner join days as d on w.preceding_start <= d.day and d.day <= w.last_day
    group by all
),

quarters_asked as (
    select
        a.quarter_start,
        (a.quarter_start - interval 3 month)::date as earlier_start
    from windows_as_bits as a
    group by a.quarter_start
),

quarter_days as (
    select
        q.quarter_start,
        d.day,
        d.quarter_start = q.quarter_start as is_now,
        {{ day_bit('d.day', 'd.quarter_start') }} as bit
    from quarters_asked as q
    inner join days as d on d.quarter_start in (q.quarter_start, q.earlier_start)
),

quarters_whole as (
    select
        quarter_start,
        coalesce(bit_or(bit) filter (where is_now), 0)::hugeint as days_now,
        coalesce(bit_or(bit) filter (where not is_now), 0)::hugeint as days_earlier
    from quarter_days
    group by quarter_start
),

-- which scopes a cell counts in, and on which days; a person's or team's while they own it
memberships_as_bits as (
    select
        q.quarter_start,
        m.scope_kind,
        m.scope_id,
        m.what,
        m.which,
        m.product_id,
        coalesce(bit_or(q.bit) filter (where q.is_now), 0)::hugeint as days_now,
        coalesce(bit_or(q.bit) filter (where not q.is_now), 0)::hugeint as days_earlier
    from memberships as m
    inner join quarter_days as q on m.valid_from <= q.day and q.day < m.valid_to
    where m.what <> 'page_prefix'
    group by q.quarter_start, m.scope_kind, m.scope_id, m.what, m.which, m.product_id
),

scopes_of_cells as (
    select
        q.quarter_start,
        c.cell_key,
        s.scope_kind,
        s.product_id,
        s.scope_id,
        q.days_now,
        q.days_earlier
    from cells as c
    cross join quarters_whole as q
    cross join lateral (values
        ('company', '(all)', '(all)'),
        ('product', c.source_product_id, c.source_product_id),
        ('channel', c.source_product_id, c.channel),
        ('channel', '(all)', c.channel),
        ('campaign', c.source_product_id, c.campaign)
    ) as s (scope_kind, product_id, scope_id)
    union all
    select
        m.quarter_start,
        c.cell_key,
        m.scope_kind,
        '(all)' as product_id,
        m.scope_id,
        bit_or(m.days_now)::hugeint as days_now,
        bit_or(m.days_earlier)::hugeint as days_earlier
    from cells as c
    inner join memberships_as_bits as m
        on
            c.source_product_id = m.product_id
            and case m.what
                when 'product' then true
                when 'channel' then m.which = c.channel
                when 'campaign' then m.which = c.campaign
            end
    group by m.quarter_start, c.cell_key, m.scope_kind, m.scope_id
),

scopes_numbered as (
    select
        s.*,
        dense_rank() over (order by s.scope_kind, s.product_id, s.scope_id)::integer as scope_number,
        s.product_id = '(all)' as is_across,
        s.days_now = q.days_now and s.days_earlier = q.days_earlier as is_whole
    from scopes_of_cells as s
    inner join quarters_whole as q on s.quarter_start = q.quarter_start
),

-- every member with their active days of each quarter asked for and of the one before
members_active as (
    select
        coalesce(n.quarter_start, e.quarter_start) as quarter_start,
        coalesce(n.member_key, e.member_key) as member_key,
        coalesce(n.active_days, 0)::hugeint as days_now,
        coalesce(e.active_days, 0)::hugeint as days_earlier
    from (
        select
            u.quarter_start,
            u.member_key,
            u.active_days
        from user_quarters as u
        inner join quarters_asked as q on u.quarter_start = q.quarter_start
    ) as n
    full join (
        select
            q.quarter_start,
            u.member_key,
            u.active_days
        from user_quarters as u
        inner join quarters_asked as q on u.quarter_start = q.earlier_start
    ) as e on n.member_key = e.member_key and n.quarter_start = e.quarter_start
),

members as (
    select
        a.quarter_start,
        p.person_key,
        p.cell_key,
        p.is_in_several,
        p.first_active_day,
        p.first_active_day_in_space,
        a.days_now,
        a.days_earlier
    from members_active as a
    inner join profiles as p on a.member_key = p.member_key
),

-- who is in one product only, or is asked for by product, counts by cell; scopes add cells up
cells_classed as (
    select
        w.window_number,
        m.cell_key,
        m.is_in_several,
        m.first_active_day >= w.period_start as is_new,
        m.first_active_day_in_space >= w.period_start as is_new_in_space,
        {{ activity_class('m', 'w') }}
    from members as m
    inner join windows_as_bits as w
        on
            m.quarter_start = w.quarter_start
            and {{ is_in_window_or_before('m', 'w') }}
),

cells_counted as (
    select
        *,
        count(*) as users
    from cells_classed
    group by all
),

-- who is in several products, or in a cell that is owned for some of the days, counts by scope
persons as (
    select
        m.quarter_start,
        s.scope_number,
        m.person_key,
        min(m.first_active_day_in_space) as first_active_day,
        bit_or(m.days_now & s.days_now)::hugeint as days_now,
        bit_or(m.days_earlier & s.days_earlier)::hugeint as days_earlier
    from members as m
    inner join scopes_numbered as s on m.quarter_start = s.quarter_start and m.cell_key = s.cell_key
    where s.is_across and (m.is_in_several or not s.is_whole)
    group by m.quarter_start, s.scope_number, m.person_key
),

persons_classed as (
    select
        w.window_number,
        p.scope_number,
        p.first_active_day >= w.period_start as is_new,
        {{ activity_class('p', 'w') }}
    from persons as p
    inner join windows_as_bits as w
        on
            p.quarter_start = w.quarter_start
            and {{ is_in_window_or_before('p', 'w') }}
),

persons_counted as (
    select
        *,
        count(*) as users
    from persons_classed
    group by all
),

counted as (
    select
        c.window_number,
        s.scope_number,
        c.days_after_start,
        c.is_active,
        c.was_active,
        case when s.is_across then c.is_new_in_space else c.is_new end as is_new,
        c.users
    from cells_counted as c
    inner join windows_as_bits as w on c.window_number = w.window_number
    inner join scopes_numbered as s on w.quarter_start = s.quarter_start and c.cell_key = s.cell_key
    where not s.is_across or (s.is_whole and not c.is_in_several)
    union all
    select
        window_number,
        scope_number,
        days_after_start,
        is_active,
        was_active,
        is_new,
        users
    from persons_counted
),

scopes as (
    select distinct
        scope_number,
        scope_kind,
        product_id,
        scope_id
    from scopes_numbered
)

select
    s.scope_kind,
    s.product_id,
    s.scope_id,
    w.window_kind,
    w.grain,
    coalesce(sum(c.users) filter (where c.is_active), 0)::bigint as active_users,
    coalesce(sum(c.users) filter (where c.is_active and c.is_new and not c.was_active), 0)::bigint as new_active_users,
    coalesce(sum(c.users) filter (where c.is_active and c.was_active), 0)::bigint as retained_users,
    coalesce(
        sum(c.users) filter (where c.is_active and not c.is_new and not c.was_active), 0
    )::bigint as resurrected_users,
    coalesce(sum(c.users) filter (where c.was_active), 0)::bigint as preceding_users,
    w.period_start,
    case when w.is_curve and c.is_active then (w.period_start + c.days_after_start) else w.last_day end as local_date
from counted as c
inner join windows_as_bits as w on c.window_number = w.window_number
inner join scopes as s on c.scope_number = s.scope_number
group by all
