"""KPI reporting: feeds land in DuckDB, dbt computes KPIs, three ranks read them by mail."""
