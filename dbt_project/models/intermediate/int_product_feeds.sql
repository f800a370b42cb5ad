with

product_feeds as (
    select * from {{ ref('stg_landing__product_feeds') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

families as (
    select * from (values
        ('exposure', 'exposure'), ('visits', 'visits'), ('visits', 'traffic'), ('users', 'user_growth')
    ) as f (family, feed)
),

visits_resolved as (
    select
        product_id,
        feed,
        feed as landed_as
    from product_feeds
    union all
    select
        f.product_id,
        'visits' as feed,
        f.feed as landed_as
    from product_feeds as f
    inner join products as p on f.product_id = p.product_id
    where f.feed = case p.traffic_source when 'backend' then 'traffic' else 'page_views' end
)

select
    v.product_id,
    v.feed,
    v.landed_as,
    f.family,
    p.started_on
from visits_resolved as v
inner join products as p on v.product_id = p.product_id
left join families as f on v.feed = f.feed
