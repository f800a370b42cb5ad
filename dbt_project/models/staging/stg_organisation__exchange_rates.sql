select * from {{ source('organisation', 'exchange_rates') }}
