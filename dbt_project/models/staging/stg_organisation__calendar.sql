select * from {{ source('organisation', 'calendar') }}
