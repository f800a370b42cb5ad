"""The warehouse: the only part that opens its DuckDB file, calls dbt and publishes."""

from kpi_pipeline.warehouse.building import BuildResult, build
from kpi_pipeline.warehouse.publication import Publication, open_published, publish

__all__ = ["BuildResult", "Publication", "build", "open_published", "publish"]
