"""Measures builds: all days at once beside a script by hand, pandas and polars; and one more day.

`python -m bench.builds` makes two companies, of 90 days and of a year, and prints and writes
docs/benchmarks-builds.md. It takes half an hour and 40 GB of disk. What every way computes is
compared first: a figure that differs ends the run.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench import builds_page, company, floor, peers
from bench.runs import Run, measure, median

ROOT = Path(__file__).resolve().parents[1]
LAST = date(2024, 12, 31)  # of a quarter
DAYS, YEAR = 90, 365
MEMORY = "3GB"
VISITORS = 600_000
A_DAY = 1_000_000  # page views of the one more day
CORRECTED = LAST - timedelta(days=21)
EDITIONS = itertools.count(1)  # of days that come with other rows than before


@dataclass(frozen=True)
class Company:
    """A company of so many days, which end with LAST, under a folder."""

    home: Path
    days: int
    page_views: int

    @property
    def warehouse(self) -> Path:
        return self.home / "out" / "warehouse.duckdb"

    @property
    def landing(self) -> Path:
        return self.home / "out" / "landing"

    @property
    def span(self) -> list[date]:
        return [LAST - timedelta(days=n) for n in reversed(range(self.days))]

    def make(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        company.write_workspace(self.home)
        settings = company.settings_of(self.home, MEMORY)
        settings.home.mkdir(parents=True)
        company.write_days(settings, self.span, company.Traffic(self.page_views, VISITORS))

    def change(self, day: date, page_views: int, edition: int) -> None:
        settings = company.settings_of(self.home, MEMORY)
        traffic = company.Traffic(page_views, VISITORS)
        company.write_days(settings, [day], traffic, edition)

    def build(self, *options: str) -> Run:
        command = [str(Path(sys.executable).with_name("kpi")), "build", "--at", "2026-01-01T00:00Z"]
        return measure([*command, *options], company.environment_of(self.home, MEMORY))

    def floor(self, *days: date) -> Run:
        return _own("floor", str(self.home), *(str(day) for day in days or self.span))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.builds", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="1: 30 million page views")
    parser.add_argument("--year", action=argparse.BooleanOptionalAction, default=True)
    chosen = parser.parse_args(arguments)
    views = int(30_000_000 * chosen.scale / DAYS)
    quarter = Company(chosen.folder.absolute() / "company-90", DAYS, views)
    year = Company(chosen.folder.absolute() / "company-365", YEAR, views)
    both = (quarter, year) if chosen.year else (quarter,)
    text = _measured(both, chosen.rounds, int(A_DAY * chosen.scale))
    print(text)
    if chosen.scale == 1:
        (ROOT / "docs" / "benchmarks-builds.md").write_text(text, encoding="utf-8")
    return 0


def _measured(companies: tuple[Company, ...], rounds: int, a_day: int) -> str:
    quarter = companies[0]
    say("a company of 90 days")
    quarter.make()
    plain, by_hand, whole = alternate(
        rounds,
        lambda: _own("plain", str(quarter.home)),
        quarter.floor,
        lambda: quarter.build("--full"),
    )
    _require("the floor", floor.differing(quarter.home / "floor.duckdb", quarter.warehouse))
    peer = {name: _peer(name, quarter) for name in peers.WAYS}
    long = []
    for year in companies[1:]:
        say("a company of a year")
        year.make()
        long.append(year.build("--full"))
    day_floor, *days = alternate(
        rounds, _last(quarter), *(lambda c=c: _one_day(c, LAST, a_day) for c in companies)
    )
    corrected = [_one_day(c, CORRECTED, quarter.page_views) for c in companies]
    return builds_page.written(
        builds_page.Measured(
            at=datetime.now(UTC),
            rounds=rounds,
            load=os.getloadavg(),
            page_views=(quarter.page_views * DAYS, quarter.page_views * YEAR, a_day),
            plain=median(plain),
            floor=median(by_hand),
            whole=median(whole),
            peers=peer,
            year=long,
            day_after=[median(runs) for runs in days],
            day_floor=median(day_floor),
            corrected=corrected,
        )
    )


def _last(of: Company) -> Callable[[], Run]:
    return lambda: of.floor(LAST)


def _one_day(of: Company, day: date, page_views: int) -> Run:
    """A build after that day came with other rows than before."""
    of.change(day, page_views, next(EDITIONS))
    return of.build()


def _peer(name: str, of: Company) -> Run:
    out = of.home / f"{name}.csv"
    command = [sys.executable, "-m", "bench.peers", name, str(of.landing / "feed=page_views")]
    run = measure([*command, str(out)], {"PYTHONPATH": str(ROOT)})
    say(f"{name}: {run.wall:.1f} s")
    _require(name, peers.differing(out, of.warehouse))
    return run


def _own(kind: str, *words: str) -> Run:
    return measure([sys.executable, "-m", "bench.builds", kind, *words], {"PYTHONPATH": str(ROOT)})


def _require(name: str, differing: object) -> None:
    if differing:
        raise ValueError(f"{name} and the pipeline say different things: {differing}")


def alternate(rounds: int, *works: Callable[[], Run]) -> list[list[Run]]:
    """Rounds of all works, one after the other, so that all see the same machine."""
    taken: list[list[Run]] = [[] for _ in works]
    for number in range(1, rounds + 1):
        for runs, work in zip(taken, works, strict=True):
            runs.append(work())
        say(f"round {number}: " + " against ".join(f"{runs[-1].wall:.1f} s" for runs in taken))
    return taken


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _work(kind: str, home: Path, days: Sequence[date]) -> None:
    """What is measured in a process of its own."""
    landing = home / "out" / "landing"
    if kind == "plain":
        floor.plain(landing, MEMORY)
    else:
        floor.build(landing, days, home / "floor.duckdb", "4GB")


if __name__ == "__main__":
    if sys.argv[1:2] in (["plain"], ["floor"]):
        _work(sys.argv[1], Path(sys.argv[2]), [date.fromisoformat(day) for day in sys.argv[3:]])
    else:
        sys.exit(main())
