select
    product_id,
    stage,
    lag(stage) over (partition by product_id order by valid_from) as previous_stage,
    valid_from,
    coalesce(valid_to, lead(valid_from) over (partition by product_id order by valid_from)) as valid_to
from {{ ref('stg_organisation__product_stages') }}
