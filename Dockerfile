# Airflow with this project installed: one image for every service of docker-compose.yml.
FROM python:3.12.12-slim-bookworm

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    GX_ANALYTICS_ENABLED=False \
    DBT_SEND_ANONYMOUS_USAGE_STATS=False \
    AIRFLOW_HOME=/opt/airflow \
    KPI_PROJECT=/opt/kpi \
    KPI_HOME=/var/lib/kpi \
    KPI_WORKSPACE=/etc/kpi/workspace

WORKDIR /opt/kpi
COPY requirements.lock requirements-postgres.lock pyproject.toml ./
RUN pip install --no-deps --require-hashes -r requirements.lock -r requirements-postgres.lock

COPY src src
COPY dags dags
COPY dbt_project dbt_project
COPY expectations expectations
COPY reports reports
RUN pip install --no-deps --no-build-isolation -e . \
    && useradd --uid 50000 --create-home kpi \
    && mkdir -p /opt/airflow /var/lib/kpi \
    && chown -R kpi /opt/airflow /var/lib/kpi /opt/kpi
USER kpi
CMD ["airflow", "version"]
