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
    scope_kind,
    scope_id,
    changed_on
from held
where is_held_before <> is_held_after
