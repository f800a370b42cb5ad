with

reports as (
    select * from {{ ref('int_reports') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

reader_feeds as (
    select * from {{ ref('rpt_reader_feeds') }}
),

ownership as (
    select * from {{ ref('dim_ownership') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

channels as (
    select * from {{ ref('dim_channels') }}
),

reconciliation as (
    select * from {{ ref('fct_reconciliation') }}
),

early_activity as (
    select * from {{ ref('fct_early_activity') }}
),

reader_products as (
    select
        f.report,
        r.rank,
        r.grain,
        f.person_id,
        f.period_start,
        f.period_end,
        f.product_id,
        bool_or(f.feed = 'page_views') and bool_or(f.feed = 'traffic') as is_counted_twice,
        bool_or(f.feed = 'user_growth') as has_users
    from reader_feeds as f
    inner join reports as r on f.report = r.report
    group by all
),

-- managers and directors hear of whole products, a specialist of what is theirs
told_to as (
    select
        r.*,
        '(all)' as channel
    from reader_products as r
    where
        r.rank <> 'specialist'
        or exists (
            select 1
            from ownership as o
            where
                r.person_id = o.person_id
                and o.what = 'product'
                and r.product_id = o.which
                and o.valid_from < r.period_end
                and (o.valid_to is null or o.valid_to > r.period_start)
        )
),

told_with_channels as (
    select * from told_to
    union all
    select distinct
        r.*,
        o.which as channel
    from reader_products as r
    inner join ownership as o
        on
            r.person_id = o.person_id
            and o.what = 'channel'
            and (o.product_id is null or o.product_id = r.product_id)
            and o.valid_from < r.period_end
            and (o.valid_to is null or o.valid_to > r.period_start)
    anti join told_to as t
        on
            r.report = t.report
            and r.person_id = t.person_id
            and r.period_start = t.period_start
            and r.product_id = t.product_id
    where r.rank = 'specialist'
),

compared as (
    select
        p.grain,
        p.period_start,
        c.product_id,
        c.channel,
        c.measure,
        count_if(c.is_judged)::integer as days_judged,
        count_if(c.is_beyond_tolerance)::integer as days_beyond,
        (sum(abs(c.gap)) filter (where c.is_beyond_tolerance))::bigint as amount,
        (sum(c.own) filter (where c.is_beyond_tolerance))::bigint as base,
        max(c.told_from) as told_from
    from reconciliation as c
    inner join periods as p on p.period_start <= c.local_date and c.local_date < p.period_end
    group by all
),

gaps_by_channel as (
    select
        p.grain,
        p.period_start,
        c.product_id,
        c.channel,
        c.measure,
        sum(abs(c.gap)) as gap
    from reconciliation as c
    inner join reconciliation as t
        on c.product_id = t.product_id and c.local_date = t.local_date and t.channel = '(all)'
    inner join periods as p on p.period_start <= c.local_date and c.local_date < p.period_end
    where c.channel <> '(all)' and t.is_beyond_tolerance
    group by all
),

largest_gaps as (
    select *
    from gaps_by_channel
    qualify row_number() over (
        partition by grain, period_start, product_id, measure order by gap desc, channel
    ) = 1
),

differing as (
    select
        t.report,
        t.person_id,
        t.period_start,
        'reconciliation' as kind,
        t.product_id,
        t.channel,
        case when t.channel = '(all)' then l.channel end as most_channel,
        c.measure,
        c.days_judged,
        c.days_beyond,
        c.amount,
        c.base
    from told_with_channels as t
    inner join compared as c
        on
            t.grain = c.grain
            and t.period_start = c.period_start
            and t.product_id = c.product_id
            and t.channel = c.channel
    left join largest_gaps as l
        on
            c.grain = l.grain
            and c.period_start = l.period_start
            and c.product_id = l.product_id
            and c.measure = l.measure
    where t.is_counted_twice and c.days_beyond >= greatest(1, c.told_from * c.days_judged)
),

early as (
    select
        t.report,
        t.person_id,
        t.period_start,
        'early_activity' as kind,
        t.product_id,
        t.channel,
        null::varchar as most_channel,
        'users' as measure,
        count(*)::integer as days_judged,
        count_if(e.early_users > e.tolerance * e.sign_ups)::integer as days_beyond,
        sum(e.early_users)::bigint as amount,
        sum(e.sign_ups)::bigint as base
    from told_to as t
    inner join early_activity as e
        on t.product_id = e.product_id and t.period_start <= e.local_date and e.local_date < t.period_end
    where t.has_users
    group by all
    having sum(e.sign_ups) >= max(e.smallest_base) and sum(e.early_users) > max(e.tolerance) * sum(e.sign_ups)
),

everything as (
    select * from differing
    union all
    select * from early
)

select
    e.report,
    e.person_id,
    e.period_start,
    e.kind,
    e.product_id,
    p.name as product_label,
    e.channel,
    coalesce(c.name, e.channel) as channel_label,
    coalesce(m.name, e.most_channel) as most_channel_label,
    e.measure,
    e.days_judged,
    e.days_beyond,
    e.amount,
    e.base,
    e.amount / nullif(e.base, 0) as share
from everything as e
inner join products as p on e.product_id = p.product_id
left join channels as c on e.channel = c.channel
left join channels as m on e.most_channel = m.channel
