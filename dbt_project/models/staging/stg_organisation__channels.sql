select * from {{ source('organisation', 'channels') }}
