select
    report,
    rank,
    grain
from (values
    ('specialist_daily', 'specialist', 'day'),
    ('manager_weekly', 'manager', 'week'),
    ('director_monthly', 'director', 'month'),
    ('director_quarterly', 'director', 'quarter')
) as reports (report, rank, grain)
