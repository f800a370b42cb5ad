select * from {{ source('landing', 'referrer_hosts') }}
