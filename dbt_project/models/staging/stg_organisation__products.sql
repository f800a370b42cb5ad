select * from {{ source('organisation', 'products') }}
