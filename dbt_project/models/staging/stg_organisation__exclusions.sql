select * from {{ source('organisation', 'exclusions') }}
