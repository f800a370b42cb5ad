"""Web server access logs, line by line, through `access_logs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kpi_pipeline.feeds.access_logs import reader as access_logs
from kpi_pipeline.feeds.access_logs.lines import LogFile, LogProblemError
from kpi_pipeline.feeds.reading import FileRead, Reader
from kpi_pipeline.feeds.relation import Relation


class LogLines(Reader):
    """Reads access logs; what their lines mean is decided in `access_logs`."""

    def scan(self, files: Sequence[FileRead]) -> list[FileRead]:
        self.logs: dict[int, LogFile] = {}
        return [self._examine(one) for one in files]

    def read_group(self, columns: tuple[str, ...], group: list[FileRead]) -> list[FileRead]:  # noqa: ARG002
        logs = [self.logs[one.number] for one in group]
        sql, whole = access_logs.relation(self.connection, self.source, logs, self.wanted)
        self.sink.take(Relation(sql, [], whole, access_logs.TYPED))
        return self.starting(group)

    def _examine(self, one: FileRead) -> FileRead:
        try:
            log = access_logs.examine(
                self.connection, self.source, one.number, one.file.path, self.scratch
            )
        except LogProblemError as error:
            return replace(one, problem=f"{one.file.name} {error}")
        self.logs[one.number] = log
        return replace(one, expected=log.rows)
