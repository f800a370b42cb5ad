select
    name,
    currency,
    time_zone,
    week_start,
    fiscal_year_start_month
from {{ ref('stg_organisation__company') }}
