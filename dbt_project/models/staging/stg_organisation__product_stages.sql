select * from {{ source('organisation', 'product_stages') }}
