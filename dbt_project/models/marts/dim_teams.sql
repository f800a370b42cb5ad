select
    team,
    name
from {{ ref('stg_organisation__teams') }}
