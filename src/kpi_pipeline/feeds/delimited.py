"""CSV and its relatives, by DuckDB's own reader; line by line where a file has something wrong."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import duckdb

from kpi_pipeline.feeds.reading import LONGEST_LINE, ONE_COLUMN, FileRead, Reader, whole_of
from kpi_pipeline.feeds.records import Broken, Record, records
from kpi_pipeline.feeds.relation import BROKEN, LONGEST_TEXT, Relation, columns_of
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.lacking import raise_if_lacking

AS_CSV = "quote = '\"', escape = '\"', auto_detect = false, nullstr = '\x02'"
FETCHED = 10_000  # lines at a time


class Delimited(Reader):
    """Reads files whose first line that is not blank is the header."""

    @cached_property
    def sound(self) -> set[str]:
        """Paths of scanned files that hold no NUL character and no overlong line."""
        return set()

    @property
    def delimiter(self) -> str:
        return "," if self.source.format == "xlsx" else self.source.delimiter

    def scan(self, files: Sequence[FileRead]) -> list[FileRead]:
        texts = [one.path for one in files if one.file.columns is None]
        rows, bad = (
            self.lines(
                "select filename, count(*) filter (where line <> ''), "
                "count(*) filter (where line is null or line = ''), "
                f"bool_or(strlen(line) > {LONGEST_TEXT} or contains(line, chr(0))) "
                "from {lines} group by 1",
                texts,
            )
            if texts
            else ([], [])
        )
        counted = {path: (lines, blank) for path, lines, blank, _ in rows}
        self.sound.update(path for path, _, _, is_odd in rows if not is_odd)
        scanned = [
            replace(one, expected=one.file.rows or 0, columns=one.file.columns)
            for one in files
            if one.file.columns is not None
        ]
        for one in files:
            if one.file.columns is not None:
                continue
            numbers = {number: reason for path, number, reason in bad if path == one.path}
            lines, blank = counted.get(one.path, (0, 0))
            if not lines and not numbers:
                continue
            self.bad_lines[one.number] = numbers
            header = self._header(one.path)
            wrong = _wrong_with(header, one.file.header_row in numbers, self.source.encoding)
            if header is None or wrong is not None:
                problem = f"{one.file.name} has a header that {wrong}."
                scanned.append(replace(one, problem=problem))
                continue
            columns = next(csv.reader([header.lstrip("\ufeff")], delimiter=self.delimiter))
            scanned.append(
                replace(
                    one,
                    expected=lines - 1 + len(numbers),
                    columns=tuple(c.strip() for c in columns),
                    blanks=self._blanks(one.path) if blank else (),
                )
            )
        return scanned

    def read_group(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        days = self._day_columns(columns)
        sheets = [one for one in group if one.file.columns is not None]
        careful = [one for one in group if self.bad_lines.get(one.number)]
        easy = [one for one in group if one not in sheets and one not in careful]
        done = self._read_easy(columns, days, easy) if easy else []
        done += [self._read_line_by_line(columns, days, one) for one in careful]
        for one in sheets:
            self._take_numbered(columns, days, one, one.path)
        done += sheets
        cells = len(days) or 1
        return [replace(one, cells=cells, expected=one.expected * cells) for one in done]

    def _read_easy(
        self, columns: tuple[str, ...], days: dict[str, str], group: list[FileRead]
    ) -> list[FileRead]:
        """All files in one read; those whose count is off are read again line by line."""
        numbers = [one.number for one in group]
        try:
            self.sink.take(self._relation(columns, days, group))
        except duckdb.Error as error:
            raise_if_lacking(error)
            self.sink.forget(numbers)
            if len(group) == 1:
                return [self._read_line_by_line(columns, days, group[0])]
            return [d for one in group for d in self._read_easy(columns, days, [one])]
        taken = self.sink.counts(numbers)
        cells = len(days) or 1
        good = [one for one in group if taken.get(one.number, 0) == one.expected * cells]
        bad = [one for one in group if one not in good]
        self.sink.forget([one.number for one in bad])
        return [
            *self.starting(good, 2),
            *(self._read_line_by_line(columns, days, one) for one in bad),
        ]

    def _relation(
        self, columns: tuple[str, ...], days: dict[str, str], group: list[FileRead]
    ) -> Relation:
        typed = ", ".join(f"{quoted(f'c{i}')}: 'VARCHAR'" for i in range(len(columns)))
        position = {column: f"c{i}" for i, column in enumerate(columns)}
        table = (
            f"read_csv(?, delim = {quoted(self.delimiter)}, header = true, store_rejects = true, "
            f"rejects_limit = 1000, {AS_CSV}, columns = {{{typed}}}, filename = true, "
            f"max_line_size = {LONGEST_LINE}, skip = {group[0].file.header_row - 1}, "
            "hive_partitioning = false)"
        )
        # a text that runs over several lines could be overlong, but then the count will be off
        relation = self._shaped(
            self.file_no(group), table, [[o.path for o in group]], position, days
        )
        return replace(relation, is_sound=all(one.path in self.sound for one in group))

    def _shaped(
        self,
        file_no: str,
        table: str,
        parameters: Sequence[object],
        position: dict[str, str],
        days: dict[str, str],
        n: str = "null::BIGINT",
    ) -> Relation:
        """The wanted columns of a table of texts; a wide one has a row for each of its days."""
        unpivot = self.source.unpivot
        dropped_by = "null::VARCHAR"
        whole = whole_of(list(position.values()))
        if unpivot is not None and days:
            headers = ", ".join(quoted(day) for day in days.values())
            cells = ", ".join(position[column] for column in days)
            table = (
                f"(select *, unnest([{headers}]) as header_, unnest([{cells}]) as cell_ "
                f"from {table})"
            )
            position = {**position, unpivot.name: "header_", unpivot.value: "cell_"}
            whole = f"{whole} || header_"
            tokens = ", ".join(quoted(token) for token in ("", *self.source.null_tokens))
            dropped_by = f"case when cell_ is null or cell_ in ({tokens}) then 'empty_cell' end"
        given = {**self.wanted}
        if unpivot is not None:
            given |= {unpivot.name: unpivot.name, unpivot.value: unpivot.value}
        values = [
            f"{position[source]} as {name_of(name)}"
            if source in position
            else f"null::VARCHAR as {name_of(name)}"
            for name, source in given.items()
        ]
        values.append(f"{self.unless_id(whole, position)} as whole_")
        sql = f"select {columns_of(file_no, values, n, dropped_by=dropped_by)} from {table}"
        return Relation(sql, parameters, "whole_")

    def _day_columns(self, columns: tuple[str, ...]) -> dict[str, str]:
        """Columns of a wide file that are days, and each day as ISO text."""
        unpivot = self.source.unpivot
        if unpivot is None:
            return {}
        rows = self.connection.execute(
            "select name, try_strptime(name, ?)::DATE::VARCHAR from (select unnest(?) as name)",
            [unpivot.header, list(columns)],
        ).fetchall()
        return {name: day for name, day in rows if day is not None}

    def _read_line_by_line(
        self, columns: tuple[str, ...], days: dict[str, str], one: FileRead
    ) -> FileRead:
        """A file with something wrong: every line is a row, part of a quoted one, or broken."""
        good = self.scratch / f"good-{one.number}.csv"
        bad = self.scratch / f"bad-{one.number}.csv"
        continued = 0
        with (
            good.open("w", newline="", encoding="utf-8") as good_stream,
            bad.open("w", newline="", encoding="utf-8") as bad_stream,
        ):
            rows = csv.writer(good_stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
            faults = csv.writer(bad_stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for number, record in self._records(one, len(columns)):
                if isinstance(record, Broken):
                    faults.writerow([number, f"{len(columns)} columns", record.reason])
                else:
                    rows.writerow([number, *record.fields])
                    continued += record.lines - 1 - record.blank
        if good.stat().st_size:
            self._take_numbered(columns, days, one, str(good))
        if bad.stat().st_size:
            nothing = [f"null::VARCHAR as {name_of(name)}" for name in self.wanted]
            cells = len(days) or 1
            fault = f"row(expected, reason, null, null)::{BROKEN}"
            self.sink.take(
                Relation(
                    f"select {columns_of(str(one.number), nothing, 'n', fault)} from "
                    f"(select *, unnest(range({cells})) from read_csv(?, header = false, "
                    f"delim = ',', {AS_CSV}, columns = {{'n': 'BIGINT', 'expected': 'VARCHAR', "
                    "'reason': 'VARCHAR'}))",
                    [str(bad)],
                    "null::VARCHAR",
                )
            )
        good.unlink()
        bad.unlink()
        return replace(one, expected=one.expected - continued)

    def _take_numbered(
        self, columns: tuple[str, ...], days: dict[str, str], one: FileRead, path: str
    ) -> None:
        """Give a file without a header to the sink, whose first column numbers its rows."""
        typed = ", ".join(f"{quoted(f'c{i}')}: 'VARCHAR'" for i in range(len(columns) + 1))
        table = (
            f"read_csv(?, delim = ',', header = false, {AS_CSV}, columns = {{{typed}}}, "
            f"max_line_size = {2 * LONGEST_LINE})"
        )
        position = {column: f"c{i}" for i, column in enumerate(columns, 1)}
        self.sink.take(self._shaped(str(one.number), table, [path], position, days, "c0::BIGINT"))

    def _records(self, one: FileRead, width: int) -> Iterator[tuple[int, Record | Broken]]:
        """The records below the header."""
        lines = self._physical_lines(one)
        number = 1
        for line in lines:
            number += 1
            if line:
                break
        return records(lines, number, self.delimiter, width)

    def _physical_lines(self, one: FileRead) -> Iterator[str | Broken]:
        """All lines of a file in order, also those that cannot be read."""
        bad = {number: Broken(why) for number, why in self.bad_lines.get(one.number, {}).items()}
        number = 1
        with self.connection.cursor() as cursor:
            cursor.execute("drop table if exists bad_lines")
            cursor.execute("drop table if exists bad_scans")
            rows = cursor.execute(f"select line from read_csv(?, {ONE_COLUMN})", [one.path])
            while batch := rows.fetchmany(FETCHED):
                for (line,) in batch:
                    while number in bad:
                        yield bad[number]
                        number += 1
                    yield line or ""
                    number += 1
        while number in bad:
            yield bad[number]
            number += 1

    def _header(self, path: str) -> str | None:
        """The first line that is not blank."""
        rows, _ = self.lines("select line from {lines} where line <> '' limit 1", [path])
        return str(rows[0][0]) if rows else None

    def _blanks(self, path: str) -> tuple[int, ...]:
        """For each blank line, how many lines that are not blank stand before it."""
        rows, _ = self.lines(
            "select n - row_number() over (order by n) from (select line, row_number() over () "
            "as n from {lines}) where line is null or line = '' order by n",
            [path],
        )
        return tuple(before for (before,) in rows)


def _wrong_with(header: str | None, is_bad: bool, encoding: str) -> str | None:
    """What is wrong with a header, or None. is_bad: its line cannot be read."""
    if header is None or is_bad:
        return f"is not {encoding.upper()}"
    return "has NUL characters; it is no text file" if "\0" in header else None
