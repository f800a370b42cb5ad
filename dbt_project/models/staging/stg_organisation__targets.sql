select * from {{ source('organisation', 'targets') }}
