select * from {{ source('organisation', 'company') }}
