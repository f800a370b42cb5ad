"""Adapter for files: CSV, JSON lines and Parquet, compressed too, read by DuckDB's own readers.

Rows come out as text in the temporary table `raw`, lines that are no rows in `broken`. How many
rows a file holds is counted apart from the parser, from its physical lines or Parquet's footer.
"""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

import csv
import difflib
import glob
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Source

DAY = "{day}"
BadLine = tuple[str, int]  # path, line number
LINE_END = re.compile(r"\r\n|\n|\r")
ONE_COLUMN = (
    "delim = '\x01', quote = '', escape = '', header = false, auto_detect = false, "
    "columns = {'line': 'VARCHAR'}, nullstr = '', filename = true, max_line_size = 16777216, "
    "store_rejects = true, rejects_table = 'bad_lines', rejects_scan = 'bad_scans', "
    "strict_mode = false"  # else a file with two kinds of line ends cannot be read
)
# `and` would not keep lines that are no JSON from json_type, which fails at them
IS_OBJECT = "case when json_valid(line) then json_type(line) = 'OBJECT' else false end"
AS_CSV = "quote = '\"', escape = '\"', auto_detect = false, nullstr = '\x02'"


@dataclass(frozen=True)
class SourceFile:
    """A file of a source. `day`: the day in its name, where the pattern has one."""

    number: int
    path: Path
    name: str
    day: date | None


@dataclass(frozen=True)
class FileRead:
    """What came of a file.

    expected: rows counted apart from the parser. first: `n` of the first row in `raw`;
    first_row: the row number people see for it. problem: a sentence; then it gave no rows.
    """

    file: SourceFile
    expected: int = 0
    first: int = 0
    first_row: int = 1
    columns: tuple[str, ...] = ()
    problem: str | None = None


def quoted(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def name_of(column: str) -> str:
    """An SQL identifier."""
    return '"' + column.replace('"', '""') + '"'


def find(source: Source, root: Path) -> tuple[SourceFile, ...]:
    """The files of a source in order of name; none is not an error."""
    pattern = str(root / source.files)
    any_day = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
    matcher = _day_matcher(pattern)
    found: list[SourceFile] = []
    for path in sorted(glob.glob(pattern.replace(DAY, any_day), recursive=True)):  # noqa: PTH207
        if not Path(path).is_file():
            continue
        match = matcher.fullmatch(path)
        day = None
        if match and DAY in source.files:
            try:
                day = date.fromisoformat(match["day"])
            except ValueError:
                continue
        name = path[len(str(root)) + 1 :] if path.startswith(f"{root}/") else path
        found.append(SourceFile(len(found), Path(path), name, day))
    return tuple(found)


def read(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    files: Sequence[SourceFile],
    wanted: Mapping[str, str],
    required: Iterable[str],
    scratch: Path,
) -> tuple[FileRead, ...]:
    """Fill `raw(file_no, n, whole, <wanted>…)` and `broken(file_no, n, expected, reason)`.

    wanted: output name → source column; one a file lacks is NULL. required: source columns a file
    must have. whole: hash of all of a row's columns. scratch: an empty folder for temporary files.
    """
    outputs = "".join(f", {name_of(name)} VARCHAR" for name in wanted)
    connection.execute(
        f"create or replace temp table raw(file_no INTEGER, n BIGINT, whole VARCHAR{outputs})"
    )
    connection.execute(
        "create or replace temp table broken"
        "(file_no INTEGER, n BIGINT, expected VARCHAR, reason VARCHAR)"
    )
    connection.execute(
        "create or replace temp table file_numbers(file_no INTEGER, filename VARCHAR)"
    )
    if not files:
        return ()
    listing = scratch / "files.csv"
    with listing.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([f.number, str(f.path)] for f in files)
    connection.execute(
        f"insert into file_numbers from read_csv(?, header = false, delim = ',', {AS_CSV}, "
        "columns = {'file_no': 'INTEGER', 'filename': 'VARCHAR'})",
        [str(listing)],
    )
    reader = {"csv": _Csv, "jsonl": _JsonLines, "parquet": _Parquet}[source.format]
    return reader(connection, source, wanted, tuple(required), scratch).read(files)


class _Reader:
    """Shared course: scan every file, set aside what cannot be read, then read file groups."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        wanted: Mapping[str, str],
        required: tuple[str, ...],
        scratch: Path,
    ) -> None:
        self.connection = connection
        self.source = source
        self.wanted = wanted
        self.required = required
        self.scratch = scratch
        self.careful: set[int] = set()  # numbers of files that need a look at every line

    def read(self, files: Sequence[SourceFile]) -> tuple[FileRead, ...]:
        results: dict[int, FileRead] = {}
        groups: dict[tuple[str, ...], list[FileRead]] = {}
        for scanned in self._scan_each([f for f in files if f.path.stat().st_size > 0]):
            problem = scanned.problem or self._missing(scanned)
            scanned = replace(scanned, problem=problem)
            results[scanned.file.number] = scanned
            if problem is None and (scanned.columns or scanned.expected):
                groups.setdefault(scanned.columns, []).append(scanned)
        for columns, group in groups.items():
            for done in self._read_each(columns, group):
                results[done.file.number] = done
        return tuple(results.get(f.number, FileRead(f)) for f in files)

    def _scan_each(self, files: Sequence[SourceFile]) -> list[FileRead]:
        """Scan all at once; one by one only when one of them cannot be read."""
        if not files:
            return []
        try:
            return self.scan(files)
        except duckdb.Error as error:
            if len(files) == 1:
                return [_unreadable(files[0], error)]
            return [scanned for file in files for scanned in self._scan_each([file])]

    def _read_each(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        try:
            return self.read_group(columns, group)
        except duckdb.Error as error:
            if len(group) == 1:
                number = group[0].file.number
                for table in ("raw", "broken"):
                    self.connection.execute(f"delete from {table} where file_no = ?", [number])
                return [replace(_unreadable(group[0].file, error), expected=group[0].expected)]
            return [done for one in group for done in self._read_each(columns, [one])]

    def _missing(self, scanned: FileRead) -> str | None:
        if not scanned.columns:
            return None
        twice = sorted({c for c in scanned.columns if scanned.columns.count(c) > 1})
        if twice:
            return f"{scanned.file.name} has the column {twice[0]!r} more than once."
        for column in self.required:
            if column not in scanned.columns:
                near = difflib.get_close_matches(column, scanned.columns, 1, 0.5)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                listed = ", ".join(scanned.columns)
                return f"{scanned.file.name} has no column {column!r}; it has {listed}.{hint}"
        return None

    def scan(self, files: Sequence[SourceFile]) -> list[FileRead]:
        raise NotImplementedError

    def read_group(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        raise NotImplementedError

    def lines(self, sql: str, paths: Sequence[str]) -> tuple[list[tuple[Any, ...]], list[BadLine]]:
        """Rows of a query over physical lines, and the lines that are not UTF-8, which it lacks.

        sql: with `{lines}` where the lines go: line, filename.
        """
        for table in ("bad_lines", "bad_scans"):
            self.connection.execute(f"drop table if exists {table}")
        query = sql.format(lines=f"read_csv(?, {ONE_COLUMN})")
        rows = self.connection.execute(query, [list(paths)]).fetchall()
        bad = self.connection.execute(
            "select file_path, line from bad_lines join bad_scans using (scan_id, file_id) "
            "group by all order by all"
        ).fetchall()
        return rows, bad

    def lines_of(self, path: Path) -> list[str | None]:
        """All lines of a file in order; None for one that is not UTF-8."""
        rows, bad = self.lines("select line from {lines}", [str(path)])
        texts: list[str | None] = [line or "" for (line,) in rows]
        for _, number in bad:
            texts.insert(number - 1, None)
        return texts

    def starts(self, group: Sequence[FileRead], first_row: int) -> list[FileRead]:
        """The group with the first `n` of each file's rows in `raw`."""
        numbers = ", ".join(str(g.file.number) for g in group)
        rows = self.connection.execute(
            f"select file_no, min(n) from raw where file_no in ({numbers}) group by 1"
        ).fetchall()
        first = dict(rows)
        return [replace(g, first=first.get(g.file.number, 0), first_row=first_row) for g in group]


class _Csv(_Reader):
    def scan(self, files: Sequence[SourceFile]) -> list[FileRead]:
        rows, bad = self.lines(
            "select filename, count(*), arg_min(line, n), "
            "count_if((length(line) - length(replace(line, '\"', ''))) % 2 = 1) "
            "from (select line, filename, row_number() over () as n from {lines}) "
            "where line <> '' group by 1",
            [str(f.path) for f in files],
        )
        by_path = {str(f.path): f for f in files}
        scanned = []
        for path, lines, header, odd in rows:
            file = by_path[path]
            numbers = [number for name, number in bad if name == path]
            if odd or numbers:
                self.careful.add(file.number)
            columns = next(csv.reader([header.lstrip("\ufeff")], delimiter=self.source.delimiter))
            scanned.append(
                FileRead(
                    file,
                    expected=lines - 1 + len(numbers),
                    columns=tuple(c.strip() for c in columns),
                    problem=f"{file.name} has a header that is not UTF-8."
                    if 1 in numbers
                    else None,
                )
            )
        return scanned

    def read_group(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        easy = [g for g in group if g.file.number not in self.careful]
        done = self._read_easy(columns, easy) if easy else []
        careful = [g for g in group if g.file.number in self.careful]
        return [*done, *(self._read_line_by_line(columns, g) for g in careful)]

    def _read_easy(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        """All files in one read; those whose count is off are read again line by line."""
        try:
            self._insert(columns, [str(g.file.path) for g in group], "row_number() over ()", None)
        except duckdb.Error:
            if len(group) == 1:
                return [self._read_line_by_line(columns, group[0])]
            return [done for one in group for done in self._read_easy(columns, [one])]
        numbers = ", ".join(str(g.file.number) for g in group)
        parsed: dict[int, int] = dict(
            self.connection.execute(
                f"select file_no, count(*) from raw where file_no in ({numbers}) group by 1"
            ).fetchall()
        )
        good = [g for g in group if parsed.get(g.file.number, 0) == g.expected]
        bad = [g for g in group if parsed.get(g.file.number, 0) != g.expected]
        if bad:
            listed = ", ".join(str(g.file.number) for g in bad)
            self.connection.execute(f"delete from raw where file_no in ({listed})")
        done = self.starts(good, 2) if good else []
        return [*done, *(self._read_line_by_line(columns, g) for g in bad)]

    def _insert(
        self, columns: tuple[str, ...], paths: list[str], n: str, number: int | None
    ) -> None:
        """Insert rows of CSV files. number: the file they belong to when the path is another."""
        own = ["n", *columns] if number is not None else list(columns)
        typed = ", ".join(f"{quoted(f'c{i}')}: 'VARCHAR'" for i in range(len(own)))
        shift = 1 if number is not None else 0
        position = {c: f"c{i + shift}" for i, c in enumerate(columns)}
        whole = _whole([position[c] for c in columns])
        values = "".join(
            f", {position[source]}" if source in position else ", null"
            for source in self.wanted.values()
        )
        file_no = str(number) if number is not None else "f.file_no"
        join = "" if number is not None else "join file_numbers as f using (filename)"
        own_settings = (
            f"delim = {quoted(self.source.delimiter)}, header = true, store_rejects = true, "
            "rejects_limit = 1000"
            if number is None
            else "delim = ',', header = false, parallel = false"
        )
        self.connection.execute(
            f"insert into raw select {file_no}, n, {whole}{values} from (select *, {n} as n "
            f"from read_csv(?, {own_settings}, {AS_CSV}, columns = {{{typed}}}, filename = true, "
            f"max_line_size = 16777216)) as rows {join}",
            [paths],
        )

    def _read_line_by_line(self, columns: tuple[str, ...], one: FileRead) -> FileRead:
        """A file with something wrong: every line is a row, part of a quoted one, or broken."""
        good = self.scratch / f"good-{one.file.number}.csv"
        bad = self.scratch / f"bad-{one.file.number}.csv"
        texts = self.lines_of(one.file.path)
        header = next(i for i, line in enumerate(texts) if line)
        continued = 0
        with (
            good.open("w", newline="", encoding="utf-8") as good_stream,
            bad.open("w", newline="", encoding="utf-8") as bad_stream,
        ):
            rows = csv.writer(good_stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
            faults = csv.writer(bad_stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for number, record in _records(texts, header + 1, self.source.delimiter, len(columns)):
                if isinstance(record, _Broken):
                    faults.writerow([number, f"{len(columns)} columns", record.reason])
                else:
                    rows.writerow([number, *record.fields])
                    continued += sum(map(bool, texts[number : number + record.lines - 1]))
        if good.stat().st_size:
            self._insert(columns, [str(good)], "c0::BIGINT", one.file.number)
        if bad.stat().st_size:
            self.connection.execute(
                f"insert into broken select {one.file.number}, * from read_csv(?, header = false, "
                f"delim = ',', {AS_CSV}, "
                "columns = {'n': 'BIGINT', 'expected': 'VARCHAR', 'reason': 'VARCHAR'})",
                [str(bad)],
            )
        good.unlink()
        bad.unlink()
        return replace(one, expected=one.expected - continued, first=2, first_row=2)


class _JsonLines(_Reader):
    def scan(self, files: Sequence[SourceFile]) -> list[FileRead]:
        paths = [str(f.path) for f in files]
        rows, bad = self.lines(
            "select filename, count(*) from {lines} where line <> '' group by 1", paths
        )
        counts: Counter[str] = Counter(dict(rows))
        counts.update(path for path, _ in bad)
        keys, _ = self.lines(
            "select filename, list(distinct k order by k) from (select filename, "
            f"unnest(json_keys(line)) as k from {{lines}} where {IS_OBJECT}) group by 1",
            paths,
        )
        columns = {path: tuple(names) for path, names in keys}
        spoiled = {path for path, _ in bad}
        scanned = []
        for file in files:
            path = str(file.path)
            if path in spoiled:
                self.careful.add(file.number)
            if counts[path]:
                scanned.append(FileRead(file, expected=counts[path], columns=columns.get(path, ())))
        return scanned

    def read_group(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        self.connection.execute(
            "create or replace temp table json_rows(file_no INTEGER, n BIGINT, line VARCHAR)"
        )
        easy = [str(g.file.path) for g in group if g.file.number not in self.careful]
        if easy:
            self.lines(
                "insert into json_rows select f.file_no, n, line from "
                "(select *, row_number() over () as n from {lines}) as lines "
                "join file_numbers as f using (filename)",
                easy,
            )
        for one in group:
            if one.file.number in self.careful:
                self._read_line_by_line(one)
        listed = ", ".join(quoted("$." + json.dumps(c, ensure_ascii=False)) for c in columns)
        fields = f"json_extract_string(line, [{listed}])" if columns else "null::VARCHAR[]"
        values = "".join(
            f", fields[{columns.index(source) + 1}]" if source in columns else ", null"
            for source in self.wanted.values()
        )
        self.connection.execute(
            f"insert into raw select file_no, n, sha256(line){values} from (select *, "
            f"case when {IS_OBJECT} then {fields} end as fields from json_rows) "
            f"where {IS_OBJECT}"
        )
        self.connection.execute(
            "insert into broken select file_no, n, 'a JSON object', "
            "'the line is not a JSON object' from json_rows "
            f"where line <> '' and not coalesce({IS_OBJECT}, false)"
        )
        first: dict[int, int] = dict(
            self.connection.execute("select file_no, min(n) from json_rows group by 1").fetchall()
        )
        self.connection.execute("drop table json_rows")
        return [
            replace(
                one,
                first=1 if one.file.number in self.careful else first.get(one.file.number, 1),
                first_row=1,
            )
            for one in group
        ]

    def _read_line_by_line(self, one: FileRead) -> None:
        """A file with lines that are not UTF-8; those are broken, the others keep their numbers."""
        number = one.file.number
        path = self.scratch / f"lines-{number}.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for position, line in enumerate(self.lines_of(one.file.path), 1):
                rows.writerow([position, "" if line is None else line, line is None])
        self.connection.execute(
            "create or replace temp table numbered as from read_csv(?, header = false, "
            f"delim = ',', {AS_CSV}, max_line_size = 16777216, "
            "columns = {'n': 'BIGINT', 'line': 'VARCHAR', 'is_bad': 'BOOLEAN'})",
            [str(path)],
        )
        path.unlink()
        self.connection.execute(
            f"insert into json_rows select {number}, n, line from numbered where not is_bad"
        )
        self.connection.execute(
            f"insert into broken select {number}, n, 'UTF-8 text', 'the line is not UTF-8' "
            "from numbered where is_bad"
        )


class _Parquet(_Reader):
    def scan(self, files: Sequence[SourceFile]) -> list[FileRead]:
        paths = [str(f.path) for f in files]
        counts: dict[str, int] = dict(
            self.connection.execute(
                "select file_name, num_rows from parquet_file_metadata(?)", [paths]
            ).fetchall()
        )
        scanned = []
        for file in files:
            described = self.connection.execute(
                "describe select * from read_parquet(?)", [str(file.path)]
            ).fetchall()
            columns = tuple(str(row[0]) for row in described)
            scanned.append(FileRead(file, expected=counts[str(file.path)], columns=columns))
        return scanned

    def read_group(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        cast = [f"{name_of(c)}::VARCHAR" for c in columns]
        values = "".join(
            f", {name_of(source)}::VARCHAR" if source in columns else ", null"
            for source in self.wanted.values()
        )
        self.connection.execute(
            f"insert into raw select f.file_no, file_row_number, {_whole(cast)}{values} "
            "from read_parquet(?, filename = true, file_row_number = true) "
            "join file_numbers as f using (filename)",
            [[str(g.file.path) for g in group]],
        )
        return [replace(g, first=0, first_row=1) for g in group]


@dataclass(frozen=True)
class _Record:
    fields: list[str]
    lines: int


@dataclass(frozen=True)
class _Broken:
    reason: str


def _records(
    lines: Sequence[str | None], start: int, delimiter: str, width: int
) -> Iterable[tuple[int, _Record | _Broken]]:
    """Each record with the number of its first line, counted from 1; blank lines are none.

    An unclosed quote goes on over the next lines only if it then closes in a record of the right
    width and none of the lines between is a record of its own; else it is broken, alone.
    """
    position = start
    while position < len(lines):
        text = lines[position]
        if text == "":
            position += 1
            continue
        taken = 1
        record: _Record | _Broken
        if text is None:
            record = _Broken("the line is not UTF-8")
        else:
            fields, closed = _split(text, delimiter)
            if closed and len(fields) == width:
                record = _Record(fields, 1)
            elif closed:
                record = _Broken(f"the line has {len(fields)} columns")
            else:
                joined = _joined(text, lines, position, delimiter, width)
                record = joined or _Broken("a quote is not closed")
                taken = joined.lines if joined else 1
        yield position + 1, record
        position += taken


def _joined(
    text: str, lines: Sequence[str | None], position: int, delimiter: str, width: int
) -> _Record | None:
    for end in range(position + 1, min(len(lines), position + 1000)):
        part = lines[end]
        if part is None:
            return None
        text += "\n" + part
        if '"' in part:
            fields, closed = _split(text, delimiter)
            if closed:
                return _Record(fields, end - position + 1) if len(fields) == width else None
        own, closed = _split(part, delimiter)
        if closed and len(own) == width and width > 1:
            return None
    return None


def _split(text: str, delimiter: str) -> tuple[list[str], bool]:
    """The fields of a line, and whether every quote that opens a field also closes it."""
    if '"' not in text:
        return text.split(delimiter), True
    fields: list[str] = []
    position = 0
    while True:
        if text.startswith('"', position):
            value = []
            position += 1
            while True:
                end = text.find('"', position)
                if end < 0:
                    return fields, False
                value.append(text[position:end])
                if text.startswith('"', end + 1):
                    value.append('"')
                    position = end + 2
                else:
                    position = end + 1
                    break
            if position < len(text) and not text.startswith(delimiter, position):
                return fields, False
            fields.append("".join(value))
        else:
            end = text.find(delimiter, position)
            end = len(text) if end < 0 else end
            fields.append(text[position:end])
            position = end
        if position >= len(text):
            return fields, True
        position += len(delimiter)


def _whole(columns: Sequence[str]) -> str:
    listed = ", ".join(f"coalesce({c}, chr(30))" for c in columns)
    return f"sha256(concat_ws(chr(31), {listed}))"


def _unreadable(file: SourceFile, error: Exception) -> FileRead:
    first_line = LINE_END.split(str(error).strip())[0]
    return FileRead(file, problem=f"{file.name} cannot be read: {first_line}")


def _day_matcher(pattern: str) -> re.Pattern[str]:
    """A pattern for whole paths with the group `day`."""
    parts = []
    seen = False
    for token in re.split(r"(\{day\}|\*\*/|\*|\?)", pattern):
        if token == DAY:
            parts.append(r"(?P=day)" if seen else r"(?P<day>\d{4}-\d{2}-\d{2})")
            seen = True
        else:
            globs = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
            parts.append(globs.get(token, re.escape(token)))
    return re.compile("".join(parts))
