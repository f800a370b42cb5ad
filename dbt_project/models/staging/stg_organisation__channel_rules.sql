select * from {{ source('organisation', 'channel_rules') }}
