"""The parts DAG files are put together from. Imports Airflow, so only DAG files import this."""
