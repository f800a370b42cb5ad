-- what adds up over products does; distinct people never exceed the sum of their parts
with

products as (
    select
        grain,
        period_start,
        as_of_date,
        sum(visits) as visits,
        sum(page_views) as page_views,
        sum(unique_visitors) as unique_visitors
    from {{ ref('kpi_visits') }}
    where scope_kind = 'product'
    group by all
)

select c.*
from {{ ref('kpi_visits') }} as c
inner join products as p
    on c.grain = p.grain and c.period_start = p.period_start and c.as_of_date = p.as_of_date
where
    c.scope_kind = 'company'
    and (c.visits <> p.visits or c.page_views <> p.page_views or c.unique_visitors > p.unique_visitors)
