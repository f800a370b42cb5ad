"""Rows that stand in two files of a source count once, where the source says that files overlap."""

# ruff: noqa: S608  # names are quoted by `name_of`
from __future__ import annotations

import duckdb

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.sql import name_of
from kpi_pipeline.workspace import Source

IN_TWO_FILES = "in_two_files"
REPLACED = "replaced_by_a_later_file"


def drop_repeats_across_files(
    connection: duckdb.DuckDBPyConnection, source: Source, table: FeedTable
) -> None:
    """Mark rows of `judged` as dropped.

    `identical`: the how-manieth row of its kind in a file is the same row in another, so rows that
    a file repeats on purpose stay. `last_file`: of rows of one key, only those of the last file.
    """
    if source.dedupe_across_files == "identical":
        connection.execute(
            "update judged set dropped_by = "
            f"'{IN_TWO_FILES}' from (select row_no from (select rowid as row_no, file_no, whole, "
            "row_number() over (partition by file_no, whole order by rowid) as same from judged "
            "where fault is null and dropped_by is null and whole in (select whole from judged "
            "where fault is null and dropped_by is null group by whole "
            "having count(distinct file_no) > 1)) "
            "qualify row_number() over (partition by whole, same order by file_no) > 1) as r "
            "where judged.rowid = r.row_no"
        )
    elif source.dedupe_across_files == "last_file":
        keys = ", ".join(name_of(column) for column in table.key)
        connection.execute(
            f"update judged set dropped_by = '{REPLACED}' from (select rowid as row_no from judged "
            f"where fault is null and dropped_by is null and {name_of(table.key[0])} is not null "
            f"qualify max(file_no) over (partition by {keys}) > file_no) as r "
            "where judged.rowid = r.row_no"
        )
