"""Parquet files; how many rows they hold is said by their footer."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kpi_pipeline.feeds.reading import FileRead, Reader, whole_of
from kpi_pipeline.feeds.relation import Relation, columns_of
from kpi_pipeline.feeds.sql import name_of


class Parquet(Reader):
    """Reads Parquet; every value as text, so that one set of rules types all formats."""

    def scan(self, files: Sequence[FileRead]) -> list[FileRead]:
        counts: dict[str, int] = dict(
            self.connection.execute(
                "select file_name, num_rows from parquet_file_metadata(?)",
                [[one.path for one in files]],
            ).fetchall()
        )
        scanned = []
        for one in files:
            described = self.connection.execute(
                "describe select * from read_parquet(?)", [one.path]
            ).fetchall()
            columns = tuple(str(row[0]) for row in described)
            scanned.append(replace(one, expected=counts[one.path], columns=columns))
        return scanned

    def read_group(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        position = {column: f"{name_of(column)}::VARCHAR" for column in columns}
        values = [
            f"{position.get(source, 'null::VARCHAR')} as {name_of(name)}"
            for name, source in self.wanted.items()
        ]
        values.append(f"{self.unless_id(whole_of(list(position.values())), position)} as whole_")
        sql = (
            f"select {columns_of(self.file_no(group), values, 'file_row_number + 1')} "
            "from read_parquet(?, filename = true, file_row_number = true)"
        )
        self.sink.take(Relation(sql, [[one.path for one in group]], "whole_"))
        return group
