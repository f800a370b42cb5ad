"""The warehouse: the only part that opens its DuckDB file, calls dbt and publishes."""

from kpi_pipeline.warehouse.building import BuildResult, build
from kpi_pipeline.warehouse.publication import (
    Publication,
    is_published,
    open_published,
    publish,
)

__all__ = ["BuildResult", "Publication", "build", "is_published", "open_published", "publish"]
