select
    channel,
    name
from {{ ref('stg_organisation__channels') }}
