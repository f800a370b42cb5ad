{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'status', 'feeds': ['page_views', 'traffic', 'exposure', 'user_growth']}
) }}

{{ report_rows('director_monthly') }}
