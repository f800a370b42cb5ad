select * from {{ source('organisation', 'annotations') }}
