{{ config(materialized='table') }}

with

urls as (
    select distinct url from {{ source('landing', 'page_views') }}
)

select
    {{ key_of('url') }} as url_key,
    {{ page_path('url') }} as path,
    {{ key_of('path') }} as path_key,
    {{ url_host('url') }} as host,
    case when contains(url, 'utm_') then {{ url_parameter('url', 'utm_source') }} end as utm_source,
    case when contains(url, 'utm_') then {{ url_parameter('url', 'utm_medium') }} end as utm_medium,
    case when contains(url, 'utm_') then {{ url_parameter('url', 'utm_campaign') }} end as utm_campaign,
    {{ click_id('url') }} as click_id
from urls
