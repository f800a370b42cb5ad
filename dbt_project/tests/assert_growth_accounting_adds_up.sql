-- who is active is new, retained or resurrected; who was active is retained or churned
select *
from {{ ref('kpi_users') }}
where
    new_active_users + retained_users + resurrected_users <> active_users
    or churned_users < 0
    or retained_users + churned_users <> active_users_before
    or invited_sign_ups > sign_ups
    or wau > mau
    or active_users > active_user_days
