"""Access logs as a relation of page views: a row for every line, landed, dropped or broken.

An address leaves this module only within the keyed visitor id.
"""

# ruff: noqa: S608  # names are constants, texts are quoted by `quoted`
from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb

from kpi_pipeline.feeds.access_logs import addresses, formats, lines, pages, robots
from kpi_pipeline.feeds.access_logs.addresses import taken_out
from kpi_pipeline.feeds.access_logs.expressions import harmless
from kpi_pipeline.feeds.access_logs.lines import LogFile
from kpi_pipeline.feeds.contracts import PAGE_VIEWS
from kpi_pipeline.feeds.relation import BROKEN
from kpi_pipeline.feeds.sql import quoted
from kpi_pipeline.workspace.model import Source

TYPED = frozenset({"occurred_at", "visitor_id", "user_id", "is_bot"})
COLUMNS = tuple(column.name for column in PAGE_VIEWS.tables[0].columns)
#: All a line holds, the address within the visitor. Evaluated for page views only.
WHOLE = (
    "case when visitor_id is not null then concat_ws(chr(31), occurred_at, visitor_id, "
    "coalesce(user_id, ''), url, coalesce(referrer, ''), answer_) end"
)
IS_DOMAIN = r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$"
#: The column a fault is of, as its reason says.
AT_FAULT = (
    "case when fault like 'its time %' or fault like 'has no time %' "
    "or fault like 'has no date and time %' then 'occurred_at' "
    "when fault like 'has no status %' then 'status' end"
)
UTM = ("utm_source", "utm_medium", "utm_campaign")


def examine(
    connection: duckdb.DuckDBPyConnection, source: Source, number: int, path: Path, scratch: Path
) -> LogFile:
    """A log made ready, its lines counted byte by byte (`rows`).

    number: of the source file. scratch: a folder for what must be written anew. Raises
    LogProblemError, whose message follows the file's name, when it cannot be read.
    """
    return lines.examine(connection, number, path, scratch, source.log_format == "w3c")


def relation(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    files: Sequence[LogFile],
    wanted: Collection[str] = COLUMNS,
) -> tuple[str, str]:
    """SQL of a row for every line, and the expression `whole` over it.

    file_no, n (NULL: as inserted), dropped_by, broken, the columns of page_views (`TYPED` ones
    typed, identifiers keyed by the macro `keyed`), answer_. wanted: columns that will be selected.
    """
    addresses.install(connection)
    listed, layouts = lines.select(files)
    fields = formats.fields(source, listed, layouts)
    is_bot = "null::BOOLEAN"
    if "is_bot" in wanted and formats.has_agents(source):
        is_bot = robots.is_bot(connection, fields, source.pages.bots)
    expected = quoted(formats.EXPECTED[source.log_format])
    utm = ", ".join(f"{_parameter(name)} as {name}" for name in UTM)
    return (
        f"""
    select file_no, n, dropped_by,
        case when fault is not null then struct_pack(expected := {expected}, reason := fault,
            column_name := {AT_FAULT}, value := case {AT_FAULT} when 'occurred_at' then
            {harmless("stamp")} when 'status' then {harmless("status")} end) end::{BROKEN}
            as broken,
        null::VARCHAR as event_id, occurred_at,
        case when is_page then keyed(concat_ws(' ', address, user_agent)) end as visitor_id,
        case when is_page and user_name is not null then keyed(user_name) end as user_id,
        case when site is null then page else 'https://' || site || page end as url, referrer,
        {utm}, null::VARCHAR as content_id, null::VARCHAR as country, null::VARCHAR as device,
        case when is_page then {is_bot} or {pages.ASKS_FOR_ROBOTS_TXT} end as is_bot,
        case when is_page then concat_ws(' ', method, status, size) end as answer_
    from (
        select * replace (
                case when is_page then {taken_out("referrer", "own", "listed")} end as referrer),
            case when is_page then {taken_out("path", "own", "listed")} end as page,
            case when is_page then {_site(source)} end as site
        from (
            select * replace (case when is_page then {addresses.first("address")} end as address),
                case when is_page then own_of({addresses.first("address")}) end as own,
                case when is_page and contains(address, ',') then address end as listed
            from (
                select *, fault is null and dropped_by is null as is_page
                from (
                    select *, case when fault is null then {pages.dropped_by(source.pages)} end
                        as dropped_by
                    from ({pages.prepared(fields)})
                )
            )
        )
    )""",
        WHOLE,
    )


def _site(source: Source) -> str:
    """The host of the page: as logged if it is a name, else the only one the source declares."""
    declared = source.pages.hosts
    only = quoted(declared[0].lower()) if len(declared) == 1 else "null"
    return (
        f"case when host is null then {only} when regexp_matches(host, '{IS_DOMAIN}') "
        f"and not regexp_matches(host, '(^|\\.)[0-9]+$') then host else {only} end"
    )


def _parameter(name: str) -> str:
    value = f"replace(regexp_extract(page, '[?&]{name}=([^&#]*)', 1), '+', ' ')"
    return (
        f"case when contains(page, 'utm_') then "
        f"nullif(coalesce(try(url_decode({value})), {value}), '') end"
    )
