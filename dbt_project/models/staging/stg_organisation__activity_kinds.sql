select * from {{ source('organisation', 'activity_kinds') }}
