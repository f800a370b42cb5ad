{{ config(materialized='table') }}

with

page_views as (
    select * from {{ source('landing', 'page_views') }}
),

exclusions as (
    select * from {{ ref('stg_organisation__exclusions') }}
),

urls_read as (
    select
        product_id,
        local_date,
        event_id,
        visitor_id,
        user_id,
        {{ page_path('url') }} as path,
        nullif({{ url_host('referrer') }}, {{ url_host('url') }}) as referrer_host,
        coalesce(utm_source, {{ url_parameter('url', 'utm_source') }}) as utm_source,
        coalesce(utm_medium, {{ url_parameter('url', 'utm_medium') }}) as utm_medium,
        coalesce(utm_campaign, {{ url_parameter('url', 'utm_campaign') }}) as utm_campaign,
        {{ click_id('url') }} as click_id,
        coalesce(device, '(not set)') as device,
        coalesce(is_bot, false) as is_bot,
        occurred_at
    from page_views
),

repeats_removed as (
    select *
    from urls_read
    qualify row_number() over (
        partition by product_id, local_date, event_id order by occurred_at, path, visitor_id
    ) = 1
),

exclusions_marked as (
    select
        p.*,
        p.is_bot or exists (
            select 1
            from exclusions as e
            where
                (e.product_id is null or e.product_id = p.product_id)
                and case e.kind
                    when 'visitor' then e.value = p.visitor_id
                    when 'user' then e.value = p.user_id
                    when 'utm_source' then e.value = p.utm_source
                    when 'path_prefix' then {{ holds_path('e.value', 'p.path') }}
                end
        ) as is_excluded
    from repeats_removed as p
)

select * from exclusions_marked
