"""Reads the files of a source, whatever their format, and accounts for every row of them.

How many rows a file holds is counted apart from the parser: from its physical lines, or from
Parquet's footer. Where the parser comes to another number, the file is read line by line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from kpi_pipeline.feeds.relation import Relation, Sink, columns_of
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.feeds.unpacked import Unpacked
from kpi_pipeline.lacking import raise_if_lacking
from kpi_pipeline.workspace import Source

LINE_END = re.compile(r"\r\n|\n|\r")
NOTED = 3
LONGEST_LINE = 16 * 1024 * 1024
ONE_COLUMN = (
    "delim = '\x01', quote = '', escape = '', header = false, auto_detect = false, "
    f"columns = {{'line': 'VARCHAR'}}, nullstr = '', filename = true, "
    f"max_line_size = {LONGEST_LINE}, "
    "store_rejects = true, rejects_table = 'bad_lines', rejects_scan = 'bad_scans', "
    "strict_mode = false"  # else a file with two kinds of line ends cannot be read
)
BadLine = tuple[str, int, str]  # path, line number, why it is none


@dataclass(frozen=True)
class FileRead:
    """What came of a file.

    expected: rows counted apart from the parser. first: the position in the sink of its first row,
    where rows have no number of their own; first_row: the number people see for that row. cells:
    rows made of each row of a wide file. blanks: for each blank line, the number of lines before it
    that are not blank. problem: a sentence; then it gave no rows.
    """

    number: int
    file: Unpacked
    expected: int = 0
    first: int = 0
    first_row: int = 1
    columns: tuple[str, ...] = ()
    cells: int = 1
    blanks: tuple[int, ...] = ()
    problem: str | None = None

    @property
    def path(self) -> str:
        return str(self.file.path)


class Reader:
    """Shared course: scan every file, set aside what cannot be read, then read file groups."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        wanted: Mapping[str, str],
        required: Iterable[str],
        scratch: Path,
        sink: Sink,
    ) -> None:
        self.connection = connection
        self.source = source
        self.wanted = wanted
        self.required = tuple(required)
        self.scratch = scratch
        self.sink = sink
        self.bad_lines: dict[int, dict[int, str]] = {}  # numbers of unreadable lines, and why

    def read(self, files: Sequence[Unpacked]) -> tuple[FileRead, ...]:
        """Give all rows to the sink; what came of each file, in order."""
        every = [FileRead(file.number, file, problem=file.problem) for file in files]
        results = {one.number: one for one in every}
        groups: dict[tuple[str, ...], list[FileRead]] = {}
        for scanned in self._scan_each([o for o in every if not o.problem and _has_content(o)]):
            problem = scanned.problem or self._missing(scanned)
            scanned = replace(scanned, problem=problem)
            results[scanned.number] = scanned
            if problem is None and (scanned.columns or scanned.expected):
                groups.setdefault(scanned.columns, []).append(scanned)
        for columns, group in groups.items():
            for done in self._read_each(columns, group):
                results[done.number] = self._with_dropped(done)
        return tuple(results[one.number] for one in every)

    def scan(self, files: Sequence[FileRead]) -> list[FileRead]:
        """The files with their columns and the number of rows expected."""
        raise NotImplementedError

    def read_group(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        """Give the rows of files that have the same columns to the sink."""
        raise NotImplementedError

    def lines(self, sql: str, paths: Sequence[str]) -> tuple[list[tuple[Any, ...]], list[BadLine]]:
        """Rows of a query over physical lines, and the lines it lacks: not UTF-8, or too long.

        sql: with `{lines}` where the lines go: line, filename.
        """
        for table in ("bad_lines", "bad_scans"):
            self.connection.execute(f"drop table if exists {table}")
        query = sql.format(lines=f"read_csv(?, {ONE_COLUMN})")
        rows = self.connection.execute(query, [list(paths)]).fetchall()
        bad = self.connection.execute(
            "select file_path, line, if(bool_or(error_type = 'LINE SIZE OVER MAXIMUM'), ?, ?) "
            "from bad_lines join bad_scans using (scan_id, file_id) group by all order by all",
            [f"the line is longer than {LONGEST_LINE // 1024**2} MB", "the line is not UTF-8"],
        ).fetchall()
        return rows, bad

    def file_no(self, group: Sequence[FileRead]) -> str:
        """SQL of a file's number from `filename`; a join would not keep the rows' order."""
        ordered = sorted(group, key=lambda one: one.number)
        names = ", ".join(quoted(one.path) for one in ordered)
        numbers = ", ".join(str(one.number) for one in ordered)
        return f"([{numbers}])[enum_code(filename::ENUM({names})) + 1]::INTEGER"

    def unless_id(self, whole: str, position: Mapping[str, str]) -> str:
        """`whole`, and NULL for rows that have an id of their own where only those need none."""
        if self.source.dedupe_across_files == "identical":
            return whole
        if "event_id" not in self.wanted:
            return "null::VARCHAR"
        own = position.get(self.wanted["event_id"])
        if own is None:
            return whole
        tokens = self.source.null_tokens_of.get("event_id", self.source.null_tokens)
        listed = ", ".join(quoted(token) for token in ("", *tokens))
        return f"case when {own} is null or {own} in ({listed}) then {whole} end"

    def starting(self, group: Sequence[FileRead], first_row: int = 1) -> list[FileRead]:
        """The group with the position of each file's first row in the sink."""
        first = self.sink.starts([one.number for one in group])
        return [replace(one, first=first.get(one.number, 0), first_row=first_row) for one in group]

    def _scan_each(self, files: Sequence[FileRead]) -> list[FileRead]:
        """Scan all at once; one by one only when one of them cannot be read."""
        if not files:
            return []
        try:
            return self.scan(files)
        except duckdb.Error as error:
            raise_if_lacking(error)
            if len(files) == 1:
                return [_unreadable(files[0], error)]
            return [scanned for file in files for scanned in self._scan_each([file])]

    def _read_each(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        try:
            return self.read_group(columns, group)
        except duckdb.Error as error:
            raise_if_lacking(error)
            self.sink.forget([one.number for one in group])
            if len(group) == 1:
                return [_unreadable(group[0], error)]
            return [done for one in group for done in self._read_each(columns, [one])]

    def _with_dropped(self, one: FileRead) -> FileRead:
        """The file with the rows that were dropped while it was unpacked."""
        if one.problem or not one.file.dropped:
            return one
        rows = [(d.row + i, d.rule) for d in one.file.dropped for i in range(d.rows)]
        nothing = [f"null::VARCHAR as {name_of(name)}" for name in self.wanted]
        listed = columns_of(str(one.number), nothing, "n", dropped_by="rule")
        self.sink.take(
            Relation(
                f"select {listed} from (select unnest(?) as n, unnest(?) as rule)",  # noqa: S608
                [[number for number, _ in rows], [rule for _, rule in rows]],
                "null::VARCHAR",
            )
        )
        return replace(one, expected=one.expected + len(rows))

    def _missing(self, scanned: FileRead) -> str | None:
        if not scanned.columns:
            return None
        name = scanned.file.name
        twice = sorted({c for c in scanned.columns if scanned.columns.count(c) > 1 and c})
        if twice:
            return f"{name} has the column {twice[0]!r} more than once."
        for column in self.required:
            if column not in scanned.columns:
                near = nearest(column, scanned.columns)
                hint = f" Did you mean {near!r}?" if near else ""
                if name.startswith(f"{scanned.file.file.name}/") and self.source.member == "*":
                    hint += " If it is no file to read, say in `member` which of the ZIP are."
                listed = ", ".join(scanned.columns)
                return f"{name} has no column {column!r}; it has {listed}.{hint}"
        return None


def nearest(column: str, columns: Sequence[str]) -> str | None:
    """The one of the columns whose name is most like that, in small or capital letters."""
    folded = {own.casefold(): own for own in reversed(columns)}
    near = difflib.get_close_matches(column.casefold(), folded, 1, 0.5)
    return folded[near[0]] if near else None


def notes_of(reads: Sequence[FileRead]) -> list[str]:
    """Sentences about what beside these files was not read."""
    notes = [note for one in reads for note in one.file.notes]
    more = [f"{len(notes) - NOTED} more files have such parts."] if len(notes) > NOTED else []
    return notes[:NOTED] + more


def whole_of(columns: Sequence[str]) -> str:
    """SQL of a text that only rows equal in all these columns share."""
    listed = ", ".join(f"coalesce({column}, chr(30))" for column in columns)
    return f"concat_ws(chr(31), {listed})"


def _has_content(one: FileRead) -> bool:
    return one.file.path.stat().st_size > 0


def _unreadable(one: FileRead, error: Exception) -> FileRead:
    first_line = LINE_END.split(str(error).strip())[0]
    shown = first_line.replace(one.path, one.file.name)
    if "Unexpected end of GZIP" in shown:
        shown = "it is cut off: its gzip data end too early. Deliver the whole file again."
    return replace(one, problem=f"{one.file.name} cannot be read: {shown}")
