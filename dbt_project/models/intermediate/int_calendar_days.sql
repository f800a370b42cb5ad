with

company as (
    select * from {{ ref('stg_organisation__company') }}
),

slices as (
    select * from {{ ref('stg_landing__slices') }}
),

spanned as (
    select unnest(generate_series(min(day), max(day), interval 1 day))::date as day
    from slices
),

periods_named as (
    select
        s.day,
        (s.day - ((isodow(s.day) - c.week_start_isodow + 7) % 7)::integer)::date as week_start,
        date_trunc('month', s.day)::date as month_start,
        (
            date_trunc('month', s.day)
            - to_months(((month(s.day) - c.fiscal_year_start_month + 12) % 3)::integer)
        )::date as quarter_start
    from spanned as s
    cross join (
        select
            fiscal_year_start_month,
            list_position(
                ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'], week_start
            ) as week_start_isodow
        from company
    ) as c
)

select * from periods_named
