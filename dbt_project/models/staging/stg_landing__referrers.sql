{{ config(materialized='table') }}

with

referrers as (
    select distinct referrer from {{ source('landing', 'page_views') }} where referrer is not null
)

select
    {{ key_of('referrer') }} as referrer_key,
    {{ url_host('referrer') }} as host
from referrers
