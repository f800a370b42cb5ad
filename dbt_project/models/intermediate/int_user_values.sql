with

transactions as (
    select * from {{ ref('int_transactions_summed') }} where orders_with_value > 0
),

populations as (
    select * from {{ ref('int_populations') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

calendar as (
    select max(day) as last_day from {{ ref('int_calendar_days') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

company as (
    select * from {{ ref('stg_organisation__company') }}
),

rates as (
    select
        currency,
        rate,
        valid_from,
        lead(valid_from, 1, date '9999-12-31') over (partition by currency order by valid_from) as valid_to
    from {{ ref('stg_organisation__exchange_rates') }}
),

days as (
    select period_start as day
    from touched
    where grain = 'day'
),

-- the day before the touched ones tells what changes on the first of them, and the day before a
-- period that is over who is compared with whom in it
days_in_view as (
    select day from days
    union
    select min(day) - 1 from days
    union
    select p.period_start - 1
    from periods as p
    semi join touched as t on p.grain = t.grain and p.period_start = t.period_start
    where p.grain <> 'day' and p.last_day <= (select c.last_day from calendar as c)
),

-- in one currency: the product's, or the company's where products share their users
converted as (
    select
        p.population,
        t.user_key,
        t.local_date,
        (t.order_value * case
            when not p.is_product then {{ rate_of('r', 't.currency', 'c.currency') }}
            when t.currency = p.currency then 1
            else {{ rate_of('r', 't.currency', 'c.currency') }} / {{ rate_of('o', 'p.currency', 'c.currency') }}
        end)::decimal(38, 6) as order_value
    from transactions as t
    inner join populations as p on t.source_product_id = p.source_product_id
    cross join company as c
    left join rates as r
        on t.currency = r.currency and r.valid_from <= t.local_date and t.local_date < r.valid_to
    left join rates as o
        on p.currency = o.currency and o.valid_from <= t.local_date and t.local_date < o.valid_to
    where
        t.local_date > (select min(d.day) - {{ var('value_tier_days') }} from days_in_view as d)
)

select
    c.population,
    c.user_key,
    sum(c.order_value)::decimal(38, 6) as order_value,
    d.day
from converted as c
inner join days_in_view as d on d.day - {{ var('value_tier_days') }} < c.local_date and c.local_date <= d.day
where c.order_value is not null
group by all
having sum(c.order_value) > 0
