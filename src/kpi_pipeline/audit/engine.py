"""Great Expectations over SQL on DuckDB. Its import takes seconds, so it happens once, in here."""

from __future__ import annotations

import gc
import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any

from kpi_pipeline.audit.suites import Expectation
from kpi_pipeline.errors import ConfigurationError, PipelineError

SITE = "site"
MEMORY = "300MB"  # more goes to disk, beside the file
REMOTE = re.compile(
    r"<(?:script|link)\b[^>]*(?:src|href)=\"https?://[^\"]*\"[^>]*>(?:\s*</script>)?", re.IGNORECASE
)
REMOTE_IMAGE = re.compile(r"<img\b[^>]*src=\"https?://[^\"]*\"[^>]*>", re.IGNORECASE)
REMOTE_STYLE = re.compile(r"@import\s+url\([^)]*https?:[^)]*\);?", re.IGNORECASE)
REMOTE_URL = re.compile(r"url\(\s*['\"]?https?:[^)]*\)", re.IGNORECASE)
PLAIN_STYLE = """<style>
body { font-family: system-ui, sans-serif; margin: 1.5rem; line-height: 1.4; color: #222 }
table { border-collapse: collapse; margin: .5rem 0 } td, th { border: 1px solid #ccc;
padding: .3rem .6rem; text-align: left; vertical-align: top } .modal, .navbar-toggler,
.cooltip, .carousel, button { display: none } .text-success { color: #16794c }
.text-danger { color: #b3261e } ul { padding-left: 1.2rem }
</style>
"""


@dataclass(frozen=True)
class Result:
    """What one expectation said of a batch."""

    success: bool
    unexpected_rows: int
    observed: str


@lru_cache(maxsize=1)
def great_expectations() -> Any:
    """The module, without analytics, and with DuckDB among the dialects it keeps connections to.

    GX opens a new connection per query otherwise, and loses its temporary tables with each.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    os.environ.setdefault("TQDM_DISABLE", "1")
    gc.disable()  # half a million objects come to stay; looking through them finds nothing
    try:
        import great_expectations as gx
        from great_expectations.execution_engine import sqlalchemy_execution_engine as sql
    finally:
        gc.freeze()
        gc.enable()

    class Dialect(str):  # GX asks one place for `.value` and compares in another
        @property
        def value(self) -> str:
            return str(self)

    known = sql._PERSISTED_CONNECTION_DIALECTS
    if not any(dialect.value == "duckdb" for dialect in known):
        sql._PERSISTED_CONNECTION_DIALECTS = (*known, Dialect("duckdb"))
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return gx


def load_early() -> None:
    """Begin to import Great Expectations beside other work, for a command that will audit later.

    An error shows when the audit imports it itself.
    """
    Thread(target=great_expectations, name="great-expectations", daemon=True).start()


class Door:
    """Runs suites and keeps their results for Data Docs. Close it, or DuckDB files stay open."""

    def __init__(self) -> None:
        self._gx = great_expectations()
        self._context = self._gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = {"globally": False}
        self._sources: list[Any] = []

    def __enter__(self) -> Door:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for source in self._sources:
            source.get_execution_engine().close()

    def open(self, path: Path, is_read_only: bool) -> Any:
        """A data source over a DuckDB file."""
        options = f"?memory_limit={MEMORY}" + ("&access_mode=read_only" if is_read_only else "")
        source = self._context.data_sources.add_sql(
            f"{path.stem}-{len(self._sources)}", connection_string=f"duckdb:///{path}{options}"
        )
        self._sources.append(source)
        return source

    def run(
        self, source: Any, table: str, title: str, expectations: Sequence[Expectation]
    ) -> list[Result]:
        """Validate a table as a whole; results in the order of the expectations."""
        asset = source.add_table_asset(title, table_name=table)
        batch = asset.add_batch_definition_whole_table(title)
        suite = self._context.suites.add(
            self._gx.ExpectationSuite(
                name=title,
                expectations=[_spec(position, e) for position, e in enumerate(expectations)],
            )
        )
        definition = self._context.validation_definitions.add(
            self._gx.ValidationDefinition(name=title, data=batch, suite=suite)
        )
        outcome = definition.run(result_format="SUMMARY")
        by_position = {r.expectation_config.meta["position"]: r for r in outcome.results}
        return [
            _result(by_position[position], title, expectation)
            for position, expectation in enumerate(expectations)
        ]

    def failing_parts(
        self,
        source: Any,
        table: str,
        title: str,
        expectation: Expectation,
        first: int,
        last: int,
    ) -> dict[int, Result]:
        """Which `slice_no` from first to last fail, by halving the range until one is left."""
        if first > last:
            return {}
        name = f"{title} {first} to {last} of {expectation.label}"
        asset = source.add_query_asset(
            name,
            query=f"select * from {table} where slice_no between {first} and {last}",  # noqa: S608
        )
        batch = asset.add_batch_definition_whole_table(name).get_batch()
        suite = self._gx.ExpectationSuite(name=name, expectations=[_spec(0, expectation)])
        outcome = batch.validate(suite, result_format="SUMMARY")
        result = _result(outcome.results[0], title, expectation)
        if result.success:
            return {}
        if first == last:
            return {first: result}
        middle = (first + last) // 2
        return self.failing_parts(
            source, table, title, expectation, first, middle
        ) | self.failing_parts(source, table, title, expectation, middle + 1, last)

    def query(self, source: Any, sql: str) -> list[dict[str, Any]]:
        """Rows of a query on the connection GX holds; DuckDB would refuse a second one."""
        with source.get_execution_engine().get_connection() as connection:
            return [dict(row) for row in connection.exec_driver_sql(sql).mappings()]

    def write_docs(self, folder: Path, progress: Callable[[str], None]) -> None:
        """Data Docs of everything run here, readable without a network."""
        folder.mkdir(parents=True, exist_ok=True)
        self._context.add_data_docs_site(
            site_name=SITE,
            site_config={
                "class_name": "SiteBuilder",
                "store_backend": {
                    "class_name": "TupleFilesystemStoreBackend",
                    "base_directory": str(folder),
                },
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            },
        )
        self._context.build_data_docs(site_names=[SITE])
        for page in folder.rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            page.write_text(_without_remote(text), encoding="utf-8")
        progress(f"Data Docs: {folder / 'index.html'}")


def _spec(position: int, expectation: Expectation) -> dict[str, Any]:
    return {
        "type": expectation.type,
        "kwargs": dict(expectation.kwargs),
        "meta": {"position": position},
        "notes": f"{expectation.severity}: {expectation.reason}",
        "severity": "critical" if expectation.severity == "stop" else "warning",
    }


def _result(outcome: Any, title: str, expectation: Expectation) -> Result:
    """Raises PipelineError when the expectation could not be computed at all."""
    exception = outcome.exception_info or {}
    raised = exception.get("raised_exception")
    message = exception.get("exception_message")
    for nested in exception.values():
        if isinstance(nested, dict) and nested.get("raised_exception"):
            raised, message = True, nested.get("exception_message")
    if raised:
        raise PipelineError(f"{title}: {expectation.label} could not be computed: {message}")
    found = outcome.result
    if expectation.query is not None:
        rows = int(found.get("observed_value") or 0)
    else:
        rows = int(found.get("unexpected_count") or 0)
    observed = found.get("observed_value")
    return Result(bool(outcome.success), rows, "" if observed is None else str(observed))


def _without_remote(text: str) -> str:
    """Take out what a browser would fetch from elsewhere; put a plain style in its place."""
    text = REMOTE.sub("", text)
    text = REMOTE_IMAGE.sub("", text)
    text = REMOTE_STYLE.sub("", text)
    text = REMOTE_URL.sub("none", text)
    return text.replace("</head>", PLAIN_STYLE + "</head>", 1)


def check_types(expectations: Sequence[Expectation], file: Path) -> None:
    """Raises ConfigurationError when GX knows no such expectation or refuses its kwargs.

    A suite would only log that and go on without it.
    """
    great_expectations()
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    for position, expectation in enumerate(expectations, 1):
        try:
            ExpectationConfiguration(**_spec(position, expectation)).to_domain_obj()
        except Exception as error:
            raise ConfigurationError(
                f"{file}, expectation {position} ({expectation.type}): {error}"
            ) from error


def write_index(folder: Path) -> None:
    """Write one page that opens both sites."""
    links = "".join(
        f'<li><a href="{name}/index.html">{title}</a></li>'
        for name, title in (("landing", "What came in"), ("published", "What went out"))
        if (folder / name / "index.html").exists()
    )
    (folder / "index.html").write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Checks</title></head>'
        f"<body><h1>Checks of the latest audits</h1><ul>{links}</ul></body></html>\n",
        encoding="utf-8",
    )
