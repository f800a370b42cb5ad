with

people as (
    select
        *,
        coalesce(valid_to, date '9999-12-31') as valid_until
    from {{ ref('stg_organisation__people') }}
),

ownership as (
    select
        *,
        coalesce(valid_to, date '9999-12-31') as valid_until
    from {{ ref('stg_organisation__ownership') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

teams as (
    select * from {{ ref('stg_organisation__teams') }}
),

-- whoever owns one whole product and nothing elsewhere has it as their own scope already
one_product_scopes as (
    select
        scope_kind,
        scope_id
    from {{ ref('int_memberships') }}
    group by scope_kind, scope_id
    having count(distinct product_id) = 1 and bool_or(what = 'product')
),

channels as (
    select distinct
        product_id,
        scope_id as channel
    from {{ ref('int_scopes') }}
    where scope_kind = 'channel'
),

owned_by_team as (
    select
        p.team,
        o.what,
        o.which,
        o.product_id,
        greatest(o.valid_from, p.valid_from) as valid_from,
        least(o.valid_until, p.valid_until) as valid_until
    from ownership as o
    inner join people as p on o.person_id = p.person_id
    where p.team is not null and o.valid_from < p.valid_until and p.valid_from < o.valid_until
),

-- specialists: their own work, and whole what they own
specialists as (
    select
        p.person_id,
        p.rank,
        'mine' as section,
        'person' as scope_kind,
        '(all)' as product_id,
        p.person_id as scope_id,
        p.valid_from,
        p.valid_until
    from people as p
    where p.rank = 'specialist'
    union all
    select
        p.person_id,
        p.rank,
        case o.what when 'product' then 'products' else 'channels' end as section,
        o.what as scope_kind,
        case o.what when 'product' then o.which else coalesce(o.product_id, '(all)') end as product_id,
        o.which as scope_id,
        greatest(o.valid_from, p.valid_from) as valid_from,
        least(o.valid_until, p.valid_until) as valid_until
    from people as p
    inner join ownership as o on p.person_id = o.person_id
    where p.rank = 'specialist' and o.what in ('product', 'channel')
),

-- managers: the team, its people, the products and channels it owns
managers as (
    select
        p.person_id,
        p.rank,
        'team' as section,
        'team' as scope_kind,
        '(all)' as product_id,
        p.team as scope_id,
        p.valid_from,
        p.valid_until
    from people as p
    where p.rank = 'manager' and p.team is not null
    union all
    select
        p.person_id,
        p.rank,
        'people' as section,
        'person' as scope_kind,
        '(all)' as product_id,
        m.person_id as scope_id,
        greatest(m.valid_from, p.valid_from) as valid_from,
        least(m.valid_until, p.valid_until) as valid_until
    from people as p
    inner join people as m on p.team = m.team and m.rank = 'specialist'
    where p.rank = 'manager'
    union all
    select
        p.person_id,
        p.rank,
        case o.what when 'product' then 'products' else 'channels' end as section,
        o.what as scope_kind,
        case o.what when 'product' then o.which else coalesce(o.product_id, '(all)') end as product_id,
        o.which as scope_id,
        greatest(o.valid_from, p.valid_from) as valid_from,
        least(o.valid_until, p.valid_until) as valid_until
    from people as p
    inner join owned_by_team as o on p.team = o.team
    where p.rank = 'manager' and o.what in ('product', 'channel')
    union all
    select
        p.person_id,
        p.rank,
        'channels' as section,
        'channel' as scope_kind,
        c.product_id,
        c.channel as scope_id,
        greatest(o.valid_from, p.valid_from) as valid_from,
        least(o.valid_until, p.valid_until) as valid_until
    from people as p
    inner join owned_by_team as o on p.team = o.team and o.what = 'product'
    inner join channels as c on o.which = c.product_id
    where p.rank = 'manager'
),

-- directors: the company, all products, teams and channels
directors as (
    select
        p.person_id,
        p.rank,
        s.section,
        s.scope_kind,
        s.product_id,
        s.scope_id,
        p.valid_from,
        p.valid_until
    from people as p
    cross join (
        select
            'company' as section,
            'company' as scope_kind,
            '(all)' as product_id,
            '(all)' as scope_id
        union all
        select
            'products' as section,
            'product' as scope_kind,
            product_id,
            product_id as scope_id
        from products
        union all
        select
            'teams' as section,
            'team' as scope_kind,
            '(all)' as product_id,
            team as scope_id
        from teams
        union all
        select
            'channels' as section,
            'channel' as scope_kind,
            product_id,
            channel as scope_id
        from channels
        where product_id = '(all)'
    ) as s
    where p.rank = 'director'
),

everyone as (
    select * from specialists
    union all
    select * from managers
    union all
    select * from directors
)

select
    person_id,
    rank,
    section,
    scope_kind,
    product_id,
    scope_id,
    valid_from,
    valid_until
from everyone as e
where
    e.valid_from < e.valid_until
    and not (
        e.section = 'products'
        and exists (
            select 1
            from one_product_scopes as o
            inner join people as p on e.person_id = p.person_id
            where
                (e.rank = 'specialist' and o.scope_kind = 'person' and o.scope_id = e.person_id)
                or (e.rank = 'manager' and o.scope_kind = 'team' and o.scope_id = p.team)
        )
    )
