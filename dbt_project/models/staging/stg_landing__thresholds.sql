select * from {{ source('landing', 'thresholds') }}
