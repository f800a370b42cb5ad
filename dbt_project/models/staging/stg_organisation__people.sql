select * from {{ source('organisation', 'people') }}
