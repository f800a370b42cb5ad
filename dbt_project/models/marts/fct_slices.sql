select
    feed,
    product_id,
    status,
    reason,
    hash,
    rows_read,
    rows_landed,
    rows_quarantined,
    rows_dropped,
    checks_passed,
    checks_warned,
    checks_stopped,
    day,
    first_at,
    last_at
from {{ ref('stg_landing__slices') }}
