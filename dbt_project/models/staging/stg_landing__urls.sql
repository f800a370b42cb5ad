{{ config(materialized='table') }}

with

urls as (
    select distinct url from {{ source('landing', 'page_views') }}
),

cut as (
    select
        url,
        split_part(split_part(url, '?', 1), '#', 1) as address,
        substr(url, 1 + length(split_part(address, '&', 1))) as rest
    from urls
),

-- most urls differ from others only in one of both, and what is told apart takes long to be read
addresses as (
    select
        address,
        {{ page_path('address') }} as path,
        {{ key_of('path') }} as path_key,
        {{ url_host('address') }} as host
    from (select distinct address from cut) as a
),

rests as (
    select
        rest,
        case when contains(rest, 'utm_') then {{ url_parameter('rest', 'utm_source') }} end as utm_source,
        case when contains(rest, 'utm_') then {{ url_parameter('rest', 'utm_medium') }} end as utm_medium,
        case when contains(rest, 'utm_') then {{ url_parameter('rest', 'utm_campaign') }} end as utm_campaign,
        {{ click_id('rest') }} as click_id
    from (select distinct rest from cut) as r
)

select
    {{ key_of('c.url') }} as url_key,
    a.path,
    a.path_key,
    a.host,
    r.utm_source,
    r.utm_medium,
    r.utm_campaign,
    r.click_id
from cut as c
inner join addresses as a on c.address = a.address
inner join rests as r on c.rest = r.rest
