{{ config(materialized='by_batch', meta={'is_working': true}) }}

with

repeats as (
    select * from {{ ref('stg_landing__repeats') }}
),

page_views as (
    select v.*
    from {{ source('landing', 'page_views') }} as v
    anti join repeats as r on v.row_no = r.row_no
    where {{ in_batch('v.local_date') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

exclusions as (
    select * from {{ ref('stg_organisation__exclusions') }}
),

urls as (
    select * from {{ ref('stg_landing__urls') }}
),

-- texts become numbers here: they cost half of everything that follows
keys_made as (
    select
        v.product_id,
        v.local_date,
        {{ key_of('v.event_id') }} as event_key,
        hash(p.identity_space, md5_number(v.visitor_id)) as visitor_key,
        {{ key_of('v.url') }} as url_key,
        {{ key_of('v.referrer') }} as referrer_key,
        v.visitor_id,
        v.user_id,
        v.utm_source,
        v.utm_medium,
        v.utm_campaign,
        coalesce(v.device, '(not set)') as device,
        v.content_id,
        coalesce(v.is_bot, false) as is_bot,
        v.occurred_at
    from page_views as v
    inner join products as p on v.product_id = p.product_id
),

-- an exclusion of no product is one of each
exclusions_of_products as (
    select
        p.product_id,
        e.kind,
        e.value
    from exclusions as e
    inner join products as p on e.product_id is null or e.product_id = p.product_id
),

excluded_urls as (
    select distinct
        e.product_id,
        u.url_key
    from urls as u
    inner join exclusions_of_products as e
        on
            e.kind = 'path_prefix' and {{ holds_path('e.value', 'u.path') }}
            or e.kind = 'utm_source' and e.value = u.utm_source
),

exclusions_marked as (
    select
        v.* exclude (visitor_id, user_id, is_bot),
        v.is_bot
        {% for kind, column in [('visitor', 'visitor_id'), ('user', 'user_id'), ('utm_source', 'utm_source')] -%}
        or exists (
            select 1
            from exclusions_of_products as e
            where e.product_id = v.product_id and e.kind = '{{ kind }}' and e.value = v.{{ column }}
        )
        {% endfor -%}
        or exists (
            select 1
            from excluded_urls as u
            where u.product_id = v.product_id and u.url_key = v.url_key
        ) as is_excluded
    from keys_made as v
)

select * from exclusions_marked
