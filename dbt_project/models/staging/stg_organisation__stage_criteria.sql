select * from {{ source('organisation', 'stage_criteria') }}
