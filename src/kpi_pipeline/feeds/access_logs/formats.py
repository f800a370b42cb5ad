"""What the fields of a log line are, in each format, as SQL over the lines of `lines.select`.

Every format ends in these columns, in the lines' order: file_no, n, fault (why the line is no row,
else NULL), stamp (its time as it is written, where that is at fault), is_directive, address (or a
list of them, with commas), user_name, occurred_at (UTC), method, target (what was asked for),
status, size, referrer, user_agent, host. What was not recorded is NULL; a user agent that was not
sent, where agents are recorded, is an empty text.
"""

from __future__ import annotations

from collections.abc import Sequence

from kpi_pipeline.feeds.access_logs import nginx_json, quoted_fields, w3c
from kpi_pipeline.feeds.access_logs.lines import Layout
from kpi_pipeline.workspace.model import LogFormat, Source

EXPECTED: dict[LogFormat, str] = {
    "common": "a line of a common log",
    "combined": "a line of a combined log",
    "nginx_json": "a line that is a JSON object",
    "w3c": "a line with the columns that #Fields names",
}


def fields(source: Source, lines: str, layouts: Sequence[Layout]) -> str:
    """SQL of the fields of all lines of a source."""
    if source.log_format == "nginx_json":
        return nginx_json.fields(source, lines)
    if source.log_format == "w3c":
        return w3c.fields(source, lines, layouts)
    return quoted_fields.fields(lines, has_agent=source.log_format == "combined")


def has_agents(source: Source) -> bool:
    """Whether the format records user agents."""
    return source.log_format != "common"
