"""Which reader reads which format."""

from __future__ import annotations

from kpi_pipeline.feeds.delimited import Delimited
from kpi_pipeline.feeds.json_lines import JsonLines
from kpi_pipeline.feeds.log_lines import LogLines
from kpi_pipeline.feeds.parquet import Parquet
from kpi_pipeline.feeds.reading import Reader
from kpi_pipeline.workspace.model import Format

READERS: dict[Format, type[Reader]] = {
    "csv": Delimited,
    "xlsx": Delimited,
    "jsonl": JsonLines,
    "parquet": Parquet,
    "access_log": LogLines,
}
