select * from {{ source('organisation', 'ownership') }}
