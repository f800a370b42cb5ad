select * from {{ source('organisation', 'teams') }}
