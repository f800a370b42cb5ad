"""Kills landings at random moments and shows that nothing is lost: `soak.py --seeds N`.

Each seed lands corrected files of two products over older slices, is killed (SIGKILL) after a
random part of the time that takes, or just after it began to write, and is started again. In
between every slice must be the old or the new one, whole; at the end all must be those of a landing
that nobody disturbed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
from landing_workspace import AT, Bench

from kpi_pipeline.landing import land
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import SLICE_FILE, read_slice
from kpi_pipeline.workspace import Source, Workspace

DAYS = tuple(date(2024, 6, 24) + timedelta(days=n) for n in range(6))
PRODUCTS = ("p", "q")
FEED = "page_views"
State = dict[str, tuple[object, ...]]  # a slice's folder, to what it says and the rows it names


@dataclass(frozen=True)
class Place:
    """A workspace with its files, and the home it lands in."""

    root: Path

    @property
    def settings(self) -> Settings:
        return Bench(self.root).settings

    @property
    def workspace(self) -> Workspace:
        own = Bench(self.root).workspace
        sources = tuple(
            Source(FEED, FEED, product, f"{product}/{{day}}.csv", "csv", "file_per_day")
            for product in PRODUCTS
        )
        products = {name: replace(own.products["p"], product_id=name) for name in PRODUCTS}
        return replace(own, sources=sources, products=products)

    def write(self, version: int) -> None:
        """The files: what the later version has corrected, added, taken away and left as it was."""
        for product in PRODUCTS:
            for number, day in enumerate(DAYS):
                path = self.root / product / f"{day}.csv"
                path.parent.mkdir(exist_ok=True)
                rows = 200 + (40 * version if number % 3 else 0)
                lines = [
                    f"e{n},{day}T10:00:00Z,v{n % 50},/{product}/{n * version if number % 3 else n}"
                    for n in range(rows)
                ]
                lines += [f"b{n},never,v,/" for n in range(version * number)]
                lines += ["too,few"] * (version == 2 and number == 1)
                path.write_text("\n".join(["event_id,occurred_at,visitor_id,url", *lines]) + "\n")

    def land(self) -> None:
        land(self.settings, self.workspace, FEED, PRODUCTS, DAYS, AT, "run-1")

    def state(self) -> State:
        """Every slice with its rows. Raises an error for one whose files are not whole."""
        found: State = {}
        with duckdb.connect() as connection:
            for path in sorted(self.settings.landing.glob(f"feed=*/*/*/{SLICE_FILE}")):
                piece = read_slice(path.parent)
                assert piece is not None
                rows = {
                    name: connection.execute(
                        "select * from read_parquet(?, hive_partitioning = false) order by all",
                        [str(path.parent / name)],
                    ).fetchall()
                    for name in sorted(piece.files)
                }
                for table in piece.tables.values():
                    assert table.rows == len(rows[table.file] if table.file else [])
                assert piece.quarantined == len(rows.get(piece.quarantine_file or "", []))
                said = replace(piece, arrived_at=AT)
                found[str(path.parent.relative_to(self.root))] = (said, rows)
        return found

    def wait_for_writing(self, products: int, seconds: float) -> None:
        """Until a landing has begun to write the slices of so many products, or that long."""
        end = time.monotonic() + seconds
        begun: set[Path] = set()
        while len(begun) < products and time.monotonic() < end:
            begun.update(self.settings.landing.glob(f".landing-*/{FEED}"))
            time.sleep(0.0005)

    def leftovers(self) -> list[str]:
        """Files and folders in landing/ that no slice names."""
        named = set()
        for path in self.settings.landing.glob(f"feed=*/*/*/{SLICE_FILE}"):
            piece = read_slice(path.parent)
            assert piece is not None
            named |= {path, *(path.parent / name for name in piece.files)}
        files = [path for path in self.settings.landing.rglob("*") if path.is_file()]
        hidden = list(self.settings.landing.glob(".landing-*"))
        return sorted(str(path.relative_to(self.root)) for path in {*files, *hidden} - named)

    def known(self) -> list[tuple[object, ...]]:
        """What the run log says of every slice."""
        return [
            (row["product_id"], row["day"], row["status"], row["hash"], row["rows_landed"])
            for row in RunLog(self.settings).slices()
        ]


class Soak:
    """An older landing, an undisturbed newer one, and how long that takes."""

    def __init__(self, folder: Path) -> None:
        self.before = Place(folder / "before")
        self.before.root.mkdir()
        self.before.write(1)
        _in_a_child(self.before.land)
        self.before.write(2)
        after = Place(folder / "after")
        seconds = []
        for _ in range(3):
            shutil.rmtree(after.root, ignore_errors=True)
            shutil.copytree(self.before.root, after.root)
            began = time.monotonic()
            _in_a_child(after.land)
            seconds.append(time.monotonic() - began)
        self.seconds = min(seconds)
        self.old, self.new = self.before.state(), after.state()
        self.known = after.known()
        assert len(self.old) == len(self.new) == len(DAYS) * len(PRODUCTS)
        assert all(self.old[key] != self.new[key] for key in self.old if not key.endswith("24"))
        assert not after.leftovers()

    def seeds(self, folder: Path, count: int) -> Iterator[tuple[int, str, list[str]]]:
        """For each seed how far the killed landing came, and what is wrong."""
        for seed in range(count):
            place = Place(folder / f"seed-{seed}")
            shutil.copytree(self.before.root, place.root)
            yield seed, *self._seed(place, random.Random(seed))
            shutil.rmtree(place.root)

    def _seed(self, place: Place, chance: random.Random) -> tuple[str, list[str]]:
        child = _start(place.land)
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, self.seconds))
        else:
            place.wait_for_writing(chance.randint(1, len(PRODUCTS)), self.seconds)
            time.sleep(chance.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        wrong = []
        try:
            state = place.state()
        except (AssertionError, duckdb.Error) as error:
            return "broken", [f"a slice is not whole after the kill: {error!r}"]
        if state.keys() != self.old.keys():
            wrong.append("slices are missing after the kill")
        wrong += [
            f"{key} is neither the old nor the new slice"
            for key, said in state.items()
            if said not in (self.old[key], self.new[key])
        ]
        new = sum(state[key] == self.new[key] != self.old[key] for key in state)
        whole = sum(self.new[key] != self.old[key] for key in self.old)
        came = "not a slice" if new == 0 else "all slices" if new == whole else "some slices"
        _in_a_child(place.land)
        if place.state() != self.new:
            wrong.append("the second landing ended in other slices")
        if place.known() != self.known:
            wrong.append("the run log knows other slices")
        wrong += [f"{path} was left behind" for path in place.leftovers()]
        return came, wrong


def _start(act: Callable[[], None]) -> int:
    """A child process that does this and nothing else."""
    child = os.fork()
    if child == 0:
        try:
            act()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def _in_a_child(act: Callable[[], None]) -> None:
    _, status = os.waitpid(_start(act), 0)
    assert status == 0, "a landing failed"


def main(arguments: Sequence[str]) -> int:
    """Print how far each killed landing came; 1 when something was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    count = parser.parse_args(arguments).seeds
    came: Counter[str] = Counter()
    failed = False
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        for seed, how, wrong in Soak(Path(folder)).seeds(Path(folder), count):
            came[how] += 1
            for sentence in wrong:
                failed = True
                print(f"seed {seed}: {sentence}")
    said = ", ".join(f"{how} {number}" for how, number in sorted(came.items()))
    print(f"{count} landings killed; replaced before the kill: {said}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
