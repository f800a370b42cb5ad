select * from {{ source('landing', 'product_feeds') }}
