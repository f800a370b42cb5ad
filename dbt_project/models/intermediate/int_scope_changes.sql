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
)

select * from edges
