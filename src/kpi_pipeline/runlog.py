"""What happened, in SQL: runs, the current state of every slice, checks, builds, publishes.

Works on SQLite and PostgreSQL. Times are aware UTC on the way in and on the way out.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from kpi_pipeline.errors import ConfigurationError, PipelineError
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice

CheckOutcome = Literal["passed", "warned", "stopped"]
Severity = Literal["stop", "warn"]
Row = dict[str, Any]


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware time, stored as UTC; SQLite keeps no offset, so it is put back when read."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To UTC. Raises ValueError for a time without an offset."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; give an aware time.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: sa.Dialect,  # noqa: ARG002  # the signature is SQLAlchemy's
    ) -> datetime | None:
        """Aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = sa.MetaData()

RUNS = sa.Table(
    "runs",
    METADATA,
    sa.Column("run_id", sa.String(80), primary_key=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("arguments", sa.Text, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("outcome", sa.String(40)),
    sa.Column("message", sa.Text, nullable=False, default=""),
)
SLICES = sa.Table(
    "slices",
    METADATA,
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("product_id", sa.String(120), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("rows_read", sa.BigInteger, nullable=False),
    sa.Column("rows_landed", sa.BigInteger, nullable=False),
    sa.Column("rows_quarantined", sa.BigInteger, nullable=False),
    sa.Column("rows_dropped", sa.BigInteger, nullable=False),
    sa.Column("arrived_at", UtcDateTime, nullable=False),
    sa.Column("landed_at", UtcDateTime, nullable=False),
    sa.Column("run_id", sa.String(80), nullable=False),
    sa.Column("adapter", sa.String(40), nullable=False),
    sa.Column("key_id", sa.String(40), nullable=False),
    sa.Column("audited_hash", sa.String(64)),
    sa.Column("checks_passed", sa.Integer, nullable=False),
    sa.Column("checks_warned", sa.Integer, nullable=False),
    sa.Column("checks_stopped", sa.Integer, nullable=False),
    sa.Column("first_at", UtcDateTime),
    sa.Column("last_at", UtcDateTime),
    sa.Column("first_landed_at", UtcDateTime),
)
CHECKS = sa.Table(
    "checks",
    METADATA,
    sa.Column("check_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.String(80), nullable=False, index=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("door", sa.String(10), nullable=False),
    sa.Column("table_name", sa.String(80), nullable=False),
    sa.Column("expectation", sa.Text, nullable=False),
    sa.Column("severity", sa.String(10), nullable=False),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("feed", sa.String(40)),
    sa.Column("product_id", sa.String(120)),
    sa.Column("day", sa.Date),
    sa.Column("slices", sa.Integer, nullable=False),
    sa.Column("unexpected_rows", sa.BigInteger, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
)
BUILDS = sa.Table(
    "builds",
    METADATA,
    sa.Column("build_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.String(80), nullable=False, index=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("slices", sa.Integer, nullable=False),
    sa.Column("models", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("outcome", sa.String(40), nullable=False),
)
PUBLISHES = sa.Table(
    "publishes",
    METADATA,
    sa.Column("publish_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.String(80), nullable=False, index=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
)


@dataclass(frozen=True)
class Check:
    """The outcome of one expectation.

    door: `in` (landing) or `out` (what is about to be published). feed, product_id and day are set
    where it is about one slice; `slices` is how many slices it was asked of.
    """

    run_id: str
    at: datetime
    door: Literal["in", "out"]
    table_name: str
    expectation: str
    severity: Severity
    outcome: CheckOutcome
    feed: str | None = None
    product_id: str | None = None
    day: date | None = None
    slices: int = 1
    unexpected_rows: int = 0
    message: str = ""


@dataclass(frozen=True)
class SliceAudit:
    """A slice after its audit: `piece` as `slice.json` now says it, and counts of checks."""

    piece: Slice
    passed: int
    warned: int
    stopped: int


def state_address(url: str) -> sa.URL:
    """The parsed KPI_STATE_URL; raises ConfigurationError, without its password, when no database
    can be reached by it."""
    expected = (
        "expected an address such as sqlite:////folder/state.db or "
        "postgresql+psycopg2://user:password@host/database."
    )
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigurationError(f"KPI_STATE_URL is not an address; {expected}") from error
    try:
        parsed.get_dialect().import_dbapi()
    except (sa.exc.ArgumentError, ImportError) as error:
        raise ConfigurationError(
            f"KPI_STATE_URL names {parsed.drivername!r}, for which no driver is installed; "
            f"{expected}"
        ) from error
    return parsed


def state_engine(url: str) -> sa.Engine:
    """An engine for run log and ledger. No pool, so that it survives a fork.

    SQLite: WAL, 30 s busy timeout, and `BEGIN IMMEDIATE` for connections with the execution option
    `writes`, because a transaction that reads first cannot wait for the lock later. Raises
    ConfigurationError for a URL that names no database.
    """
    parsed = state_address(url)
    if parsed.get_backend_name() != "sqlite":
        engine = sa.create_engine(parsed, poolclass=NullPool)
        tell_when_out_of_reach(engine)
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, poolclass=NullPool)
    tell_when_out_of_reach(engine)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("pragma busy_timeout = 30000")
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("begin immediate" if writes else "begin")

    return engine


def tell_when_out_of_reach(engine: sa.Engine) -> None:
    """Make the engine raise PipelineError, a sentence, when its database cannot be used."""

    @sa.event.listens_for(engine, "handle_error")
    def tell(context: sa.engine.ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if context.is_pre_ping or not isinstance(error, sa.exc.DBAPIError):
            return
        out_of_reach = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
        if out_of_reach or type(error) is sa.exc.DatabaseError:
            said = " ".join(str(error.orig).split()).rstrip(".?")
            raise PipelineError(
                f"The state database {engine.url.render_as_string()} cannot be used: {said}. See "
                "that it runs, that KPI_STATE_URL leads to it and that its disk has room; then run "
                "this again."
            ) from error


class RunLog:
    """The run log at `settings.state_url`; its tables are made when they are missing."""

    def __init__(self, settings: Settings) -> None:
        self._engine = state_engine(settings.state_url)
        with self._writing() as connection:
            METADATA.create_all(connection)
            _add_missing_columns(connection)

    def start_run(self, kind: str, arguments: Mapping[str, object], at: datetime) -> str:
        """A new run's id, fit for file names: kind, time (UTC) and six random hex digits."""
        run_id = f"{kind}-{at.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        row = {
            "run_id": run_id,
            "kind": kind,
            "arguments": json.dumps(dict(arguments), default=str, sort_keys=True),
            "started_at": at,
            "message": "",
        }
        self._insert(RUNS, [row])
        return run_id

    def end_run(self, run_id: str, outcome: str, at: datetime, message: str = "") -> None:
        """Close a run with its outcome."""
        with self._writing() as connection:
            connection.execute(
                sa.update(RUNS)
                .where(RUNS.c.run_id == run_id)
                .values(outcome=outcome, ended_at=at, message=message)
            )

    def record_slices(self, pieces: Sequence[Slice], run_id: str, at: datetime) -> int:
        """Make these the current state of their slices; returns how many were new or changed.

        A slice whose hash is as before keeps its row, so its audit and landing time stay.
        `first_landed_at` is when the slice first had rows to use, whatever replaced them since.
        """
        with self._writing() as connection:
            known = self._known(connection, pieces)
            rows = []
            for piece in pieces:
                before = known.get(_key(piece))
                if before is not None and before.hash == piece.hash:
                    continue
                first = piece.arrived_at if piece.status == "landed" else None
                if before is not None:
                    was = before.arrived_at if before.status == "landed" else None
                    first = before.first_landed_at or was or first
                rows.append(_row_of(piece, run_id, at) | {"first_landed_at": first})
            self._replace(connection, rows)
        return len(rows)

    def record_audits(self, audits: Sequence[SliceAudit], run_id: str, at: datetime) -> None:
        """Replace the state of audited slices; their `audited_hash` becomes their hash."""
        rows = []
        for audit in audits:
            row = _row_of(audit.piece, run_id, at)
            row |= {
                "audited_hash": audit.piece.hash,
                "checks_passed": audit.passed,
                "checks_warned": audit.warned,
                "checks_stopped": audit.stopped,
            }
            rows.append(row)
        with self._writing() as connection:
            known = self._known(connection, [audit.piece for audit in audits])
            for row in rows:
                before = known.get((row["feed"], row["product_id"], row["day"]))
                if before is not None:
                    row["landed_at"], row["run_id"] = before.landed_at, before.run_id
                    row["first_landed_at"] = before.first_landed_at
            self._replace(connection, rows)

    def slices(
        self,
        feed: str | None = None,
        product_id: str | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> list[Row]:
        """Current state of slices as dicts with the columns of the table, in key order."""
        query = sa.select(SLICES).order_by(SLICES.c.feed, SLICES.c.product_id, SLICES.c.day)
        if feed is not None:
            query = query.where(SLICES.c.feed == feed)
        if product_id is not None:
            query = query.where(SLICES.c.product_id == product_id)
        if first is not None:
            query = query.where(SLICES.c.day >= first)
        if last is not None:
            query = query.where(SLICES.c.day <= last)
        return self._rows(query)

    def unaudited(self) -> list[Row]:
        """Landed slices whose content was not audited yet."""
        audited = sa.func.coalesce(SLICES.c.audited_hash, "")
        return self._rows(
            sa.select(SLICES)
            .where(SLICES.c.status == "landed", audited != SLICES.c.hash)
            .order_by(SLICES.c.feed, SLICES.c.product_id, SLICES.c.day)
        )

    def record_checks(self, checks: Sequence[Check]) -> None:
        """Append check outcomes."""
        self._insert(CHECKS, [asdict(check) for check in checks])

    def checks_of(self, run_id: str) -> list[Row]:
        """The checks of a run, in the order they were recorded."""
        return self._rows(
            sa.select(CHECKS).where(CHECKS.c.run_id == run_id).order_by(CHECKS.c.check_id)
        )

    def findings(self, first: date, last: date) -> list[Row]:
        """Checks of landed slices of these days that did not pass, of each slice's last audit."""
        rows = self._rows(
            sa.select(CHECKS)
            .where(CHECKS.c.door == "in", CHECKS.c.day >= first, CHECKS.c.day <= last)
            .order_by(CHECKS.c.check_id)
        )
        last_run = {(row["feed"], row["product_id"], row["day"]): row["run_id"] for row in rows}
        return [
            row
            for row in rows
            if last_run[row["feed"], row["product_id"], row["day"]] == row["run_id"]
        ]

    def record_build(
        self, run_id: str, slices: int, models: int, seconds: float, outcome: str, at: datetime
    ) -> None:
        """Append a build."""
        row = {"slices": slices, "models": models, "seconds": seconds, "outcome": outcome}
        self._insert(BUILDS, [{"run_id": run_id, "at": at, **row}])

    def record_publish(self, run_id: str, path: Path | str, at: datetime) -> None:
        """Append a publication."""
        self._insert(PUBLISHES, [{"run_id": run_id, "path": str(path), "at": at}])

    def runs(self) -> list[Row]:
        """All runs, oldest first; `arguments` as a dict."""
        rows = self._rows(sa.select(RUNS).order_by(RUNS.c.started_at, RUNS.c.run_id))
        return [row | {"arguments": json.loads(row["arguments"])} for row in rows]

    def builds(self) -> list[Row]:
        """All builds, oldest first."""
        return self._rows(sa.select(BUILDS).order_by(BUILDS.c.build_id))

    def publishes(self) -> list[Row]:
        """All publications, oldest first."""
        return self._rows(sa.select(PUBLISHES).order_by(PUBLISHES.c.publish_id))

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with (
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        if rows:
            with self._writing() as connection:
                connection.execute(sa.insert(table), list(rows))

    @staticmethod
    def _known(
        connection: sa.Connection, pieces: Sequence[Slice]
    ) -> dict[tuple[str, str, date], sa.Row[Any]]:
        """What is known of the slices of these pieces' feeds."""
        columns = ("feed", "product_id", "day", "hash", "status", "run_id")
        times = ("arrived_at", "landed_at", "first_landed_at")
        query = sa.select(*(SLICES.c[name] for name in (*columns, *times)))
        feeds = {piece.feed for piece in pieces}
        rows = connection.execute(query.where(SLICES.c.feed.in_(feeds)))
        return {(r.feed, r.product_id, r.day): r for r in rows}

    @staticmethod
    def _replace(connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Delete and insert: an upsert both databases understand."""
        if not rows:
            return
        connection.execute(
            sa.delete(SLICES).where(
                SLICES.c.feed == sa.bindparam("b_feed"),
                SLICES.c.product_id == sa.bindparam("b_product_id"),
                SLICES.c.day == sa.bindparam("b_day"),
            ),
            [
                {"b_feed": r["feed"], "b_product_id": r["product_id"], "b_day": r["day"]}
                for r in rows
            ],
        )
        connection.execute(sa.insert(SLICES), list(rows))


def _add_missing_columns(connection: sa.Connection) -> None:
    """Columns that a newer version has and an older database lacks; they may all be NULL."""
    inspector = sa.inspect(connection)
    for table in METADATA.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(
                    f"alter table {table.name} add column {column.name} {kind}"
                )


def _key(piece: Slice) -> tuple[str, str, date]:
    return piece.feed, piece.product_id, piece.day


def _row_of(piece: Slice, run_id: str, at: datetime) -> Row:
    return {
        "feed": piece.feed,
        "product_id": piece.product_id,
        "day": piece.day,
        "status": piece.status,
        "reason": piece.reason,
        "hash": piece.hash,
        "rows_read": piece.read,
        "rows_landed": piece.landed,
        "rows_quarantined": piece.quarantined,
        "rows_dropped": piece.dropped,
        "arrived_at": piece.arrived_at,
        "landed_at": at,
        "run_id": run_id,
        "adapter": piece.adapter,
        "key_id": piece.key_id,
        "audited_hash": None,
        "checks_passed": 0,
        "checks_warned": 0,
        "checks_stopped": 0,
        "first_at": piece.first_at,
        "last_at": piece.last_at,
        "first_landed_at": None,
    }
