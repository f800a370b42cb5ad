select * from {{ source('organisation', 'playbook') }}
