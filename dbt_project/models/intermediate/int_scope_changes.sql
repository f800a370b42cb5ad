with

memberships as (
    select * from {{ ref('int_memberships') }}
),

edges as (
    select
        scope_kind,
        scope_id,
        valid_from as changed_on
    from memberships
    union
    select
        scope_kind,
        scope_id,
        valid_to as changed_on
    from memberships
    where valid_to < date '9999-12-31'
),

-- the day a scope begins to exist changes nothing: there is no before
starts as (
    select
        scope_kind,
        scope_id,
        min(valid_from) as started_on
    from memberships
    group by all
),

-- what goes from one of a team's people to another stays the team's
held as (
    select
        e.scope_kind,
        e.scope_id,
        e.changed_on,
        m.what,
        m.which,
        m.product_id,
        bool_or(m.valid_from < e.changed_on and e.changed_on <= m.valid_to) as is_held_before,
        bool_or(m.valid_from <= e.changed_on and e.changed_on < m.valid_to) as is_held_after
    from edges as e
    inner join memberships as m on e.scope_kind = m.scope_kind and e.scope_id = m.scope_id
    group by all
)

select distinct
    h.scope_kind,
    h.scope_id,
    h.changed_on
from held as h
inner join starts as s on h.scope_kind = s.scope_kind and h.scope_id = s.scope_id
where h.is_held_before <> h.is_held_after and h.changed_on > s.started_on
