select
    product_id,
    name,
    time_zone,
    currency,
    identity_space,
    traffic_source,
    started_on
from {{ ref('stg_organisation__products') }}
