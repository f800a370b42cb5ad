"""JSON lines: one object a line."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from kpi_pipeline.feeds.reading import FileRead, Reader
from kpi_pipeline.feeds.relation import BROKEN, Relation, columns_of
from kpi_pipeline.feeds.sql import name_of, quoted

# `and` would not keep lines that are no JSON from json_type, which fails at them
IS_OBJECT = "case when json_valid(line) then json_type(line) = 'OBJECT' else false end"


class JsonLines(Reader):
    """Reads JSON lines; a line that is no object, or an ambiguous one, is broken, alone."""

    has_twice = False  # whether an object names a key more than once

    def scan(self, files: Sequence[FileRead]) -> list[FileRead]:
        paths = [one.path for one in files]
        rows, bad = self.lines(
            "select filename, count(*) from {lines} where line <> '' group by 1", paths
        )
        counts: Counter[str] = Counter(dict(rows))
        counts.update(path for path, _, _ in bad)
        keys, _ = self.lines(
            "select filename, list(distinct k order by k), bool_or(is_twice) from (select "
            "filename, unnest(ks) as k, len(ks) > list_unique(ks) as is_twice from (select "
            f"filename, json_keys(line) as ks from {{lines}} where {IS_OBJECT})) group by 1",
            paths,
        )
        columns = {path: tuple(names) for path, names, _ in keys}
        self.has_twice |= any(is_twice for _, _, is_twice in keys)
        for one in files:
            self.bad_lines[one.number] = {
                number: reason for path, number, reason in bad if path == one.path
            }
        return [
            replace(one, expected=counts[one.path], columns=columns.get(one.path, ()))
            for one in files
            if counts[one.path]
        ]

    def read_group(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:
        self.connection.execute(
            "create or replace temp table json_rows"
            "(file_no INTEGER, n BIGINT, line VARCHAR, bad VARCHAR)"
        )
        for one in group:
            self._number_lines(one)
        listed = ", ".join(quoted("$." + json.dumps(c, ensure_ascii=False)) for c in columns)
        fields = f"json_extract_string(line, [{listed}])" if columns else "null::VARCHAR[]"
        position = {column: f"fields[{i}]" for i, column in enumerate(columns, 1)}
        values = [
            f"{position.get(source, 'null::VARCHAR')} as {name_of(name)}"
            for name, source in self.wanted.items()
        ]
        values.append("line as whole_")
        nested = " ".join(
            self._nested(key, position[key])
            for key in dict.fromkeys(self.wanted.values())
            if key in position
        )
        twice = ""
        if self.has_twice:
            twice = (
                "when len(json_keys(line)) > list_unique(json_keys(line)) then "
                "row('an object that names each key once', 'names a key twice', null, null) "
            )
        fault = (
            "case when bad like '%UTF-8' then row('UTF-8 text', bad, null, null) "
            "when bad is not null then row('a JSON object', bad, null, null) "
            "when not is_object then row('a JSON object', 'the line is not a JSON object', null, "
            f"null) {twice}{nested} end::{BROKEN}"
        )
        sql = (
            f"select {columns_of('file_no', values, 'n', fault)} from (select *, "
            f"case when is_object then {fields} end as fields from "
            f"(select *, coalesce({IS_OBJECT}, false) as is_object from json_rows))"
        )
        self.sink.take(Relation(sql, [], "whole_"))
        self.connection.execute("drop table json_rows")
        return group

    @staticmethod
    def _nested(key: str, text: str) -> str:
        """SQL of a fault where a wanted value is a list or an object; most do not begin so."""
        path = quoted("$." + json.dumps(key, ensure_ascii=False))
        return (
            f"when case when starts_with({text}, '[') or starts_with({text}, '{{') "
            f"then json_type(line, {path}) in ('ARRAY', 'OBJECT') else false end "
            "then row('a text, a number, true or false', "
            f"{quoted(f'{key!r} is a list or an object')}, null, null)"
        )

    def _number_lines(self, one: FileRead) -> None:
        """The lines of a file with their numbers; those that are not UTF-8 have no text."""
        number = one.number
        bad = self.bad_lines[number]
        if not bad:
            self.lines(
                f"insert into json_rows select {number}, n, line, null from (select line, "
                "row_number() over () as n from {lines}) where line <> ''",
                [one.path],
            )
            return
        # a bad line is not among those read: the k-th of them moves all from its number on
        listed = ", ".join(f"({line - k}, {k + 1})" for k, line in enumerate(bad))
        self.lines(
            f"insert into json_rows with bad(after, shift) as (values {listed}) "
            f"select {number}, n + coalesce((select max(shift) from bad where after <= n), 0), "
            "line, null from (select line, row_number() over () as n from {lines}) "
            "where line <> ''",
            [one.path],
        )
        lines = ", ".join(f"({number}, {line}, null, {quoted(why)})" for line, why in bad.items())
        self.connection.execute(f"insert into json_rows values {lines}")
