select
    person_id,
    what,
    which,
    product_id,
    valid_from,
    valid_to
from {{ ref('stg_organisation__ownership') }}
