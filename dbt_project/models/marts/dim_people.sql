select
    person_id,
    name,
    rank,
    team,
    manager,
    locale,
    time_zone,
    valid_from,
    valid_to
from {{ ref('stg_organisation__people') }}
