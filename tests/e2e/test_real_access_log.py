"""A real access log through the pipeline: every line accounted for, the mail of its last day."""

from __future__ import annotations

import email
import gzip
import re
import shutil
import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email import policy
from pathlib import Path

import duckdb
import pytest

from kpi_pipeline import run, settings, warehouse
from kpi_pipeline.periods import each_day
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice, folder_of

LOG = Path(__file__).parents[3] / "shared" / "data" / "access_log" / "access.log.gz"
FIRST, LAST = date(2015, 5, 17), date(2015, 5, 20)


@dataclass(frozen=True)
class Outcome:
    settings: Settings
    slices: tuple[Slice, ...]

    def landed(self, columns: str) -> list[tuple[object, ...]]:
        files = [
            str(folder_of(self.settings.landing, p.feed, p.product_id, p.day) / table.file)
            for p in self.slices
            for table in p.tables.values()
            if table.file
        ]
        return duckdb.execute(f"select {columns} from read_parquet(?)", [files]).fetchall()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    if not LOG.is_file():
        message = "the real access log is not beside the project; nothing is shown about it"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    root = tmp_path_factory.mktemp("real")
    workspace = root / "workspace"
    shutil.copytree(Path(__file__).parent / "real_workspace", workspace)
    sources = workspace / "sources.yml"
    sources.write_text(sources.read_text().replace("{real_data}", str(LOG.parents[1])))
    at_home = settings.from_environment(
        {
            "KPI_WORKSPACE": str(workspace),
            "KPI_HOME": str(root / "home"),
            "KPI_HASH_KEY": "a key for tests",
        }
    )
    at = datetime(2015, 5, 21, 10, tzinfo=UTC)
    loaded = run.load(at_home, "page_views", ["weblog"], list(each_day(FIRST, LAST)), at)
    run.everything(at_home, LAST, LAST, at)
    return Outcome(at_home, loaded.slices)


def test_all_lines_are_landed_quarantined_or_dropped(outcome: Outcome) -> None:
    counts = [(p.day, p.read, p.landed, p.quarantined, p.dropped) for p in outcome.slices]
    assert counts == [
        (date(2015, 5, 17), 1632, 568, 0, 1064),
        (date(2015, 5, 18), 2893, 1013, 0, 1880),
        (date(2015, 5, 19), 2896, 856, 0, 2040),
        (date(2015, 5, 20), 2579, 707, 1, 1871),
    ]
    assert all(p.read == p.landed + p.quarantined + p.dropped for p in outcome.slices)
    assert all(p.dropped == sum(p.dropped_by.values()) for p in outcome.slices)
    assert sum(p.read for p in outcome.slices) == 10_000


def test_only_the_line_that_was_cut_off_is_in_quarantine(outcome: Outcome) -> None:
    piece = outcome.slices[-1]
    folder = folder_of(outcome.settings.landing, piece.feed, piece.product_id, piece.day)
    assert piece.quarantine_file is not None
    rows = duckdb.execute(
        "select row_number, reason from read_parquet(?)", [str(folder / piece.quarantine_file)]
    ).fetchall()
    assert rows == [(8899, "its quotes do not match")]
    after = outcome.landed("url, is_bot, occurred_at")
    assert ("/robots.txt", True, datetime(2015, 5, 20, 12, 5, 25)) in after  # noqa: DTZ001


def test_bots_are_kept_apart(outcome: Outcome) -> None:
    assert outcome.landed("count_if(is_bot), count_if(not is_bot)") == [(1379, 1765)]
    with warehouse.open_published(outcome.settings) as connection:
        views = connection.execute(
            "select sum(value)::integer from fct_kpi_values where kpi_id = 'page_views' "
            "and product_id = 'weblog' and scope_kind = 'product' and grain = 'day'"
        ).fetchall()
    assert views == [(1765,)]


def test_the_mail_says_until_when_there_are_data_and_nothing_of_durations(
    outcome: Outcome,
) -> None:
    (mail,) = outcome.settings.outbox.glob("specialist_daily/2015-05-20/lea*.eml")
    parsed = email.message_from_bytes(mail.read_bytes(), policy=policy.default)
    text = parsed.get_body(("plain",)).get_content()  # type: ignore[union-attr,attr-defined]
    assert "until 21:05" in text
    assert "duration" not in text.lower()
    with warehouse.open_published(outcome.settings) as connection:
        known = connection.execute(
            "select count(value) from fct_kpi_values where product_id = 'weblog' "
            "and kpi_id = 'average_visit_duration_seconds'"
        ).fetchall()
    assert known == [(0,)]


def test_no_address_is_in_any_file(outcome: Outcome) -> None:
    lines = gzip.decompress(LOG.read_bytes()).splitlines()
    addresses = {line.split(b" ", 1)[0] for line in lines}
    assert len(addresses) == 1753
    pattern = re.compile(rb"(?<![\d.])(?:" + b"|".join(map(re.escape, addresses)) + rb")(?![\d.])")
    found = [
        path
        for path in outcome.settings.home.rglob("*")
        if path.is_file()
        and path.suffix not in {".parquet", ".duckdb"}
        and pattern.search(path.read_bytes())
    ]
    assert found == []
    shown = "\n".join(map(str, outcome.landed("*"))).encode()
    assert pattern.search(shown) is None
