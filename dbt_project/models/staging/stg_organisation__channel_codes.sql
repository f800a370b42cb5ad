select * from {{ source('organisation', 'channel_codes') }}
