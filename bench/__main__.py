"""Measures landing beside other tools, prints a table and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import files, page
from bench.page import Measured
from bench.runs import Run, measure, median

ROOT = Path(__file__).resolve().parents[1]
INSTALL = "goaccess is not installed. As root: apt-get update && apt-get install goaccess"


@dataclass(frozen=True)
class Bench:
    """Where measured files are, and where runs may write."""

    folder: Path
    rounds: int

    def worker(self, kind: str, file: Path) -> Run:
        """The work in a process of its own, writing to a folder that is empty."""
        with tempfile.TemporaryDirectory(dir=self.folder) as home:
            command = [sys.executable, "-m", "bench.worker", kind, str(file), home]
            return measure(command, {"PYTHONPATH": str(ROOT)})

    def goaccess(self, file: Path) -> Run:
        """GoAccess over the same log, to JSON."""
        with tempfile.TemporaryDirectory(dir=self.folder) as home:
            out = str(Path(home) / "out.json")
            command = ["goaccess", str(file), "--log-format=COMBINED", "-o", out, "--no-progress"]
            return measure(command, {"LC_ALL": "C"})

    def alternate(self, *works: Callable[[], Run]) -> list[list[Run]]:
        """Several rounds of all works, one after the other, so that all see the same machine."""
        taken: list[list[Run]] = [[] for _ in works]
        for number in range(1, self.rounds + 1):
            for runs, work in zip(taken, works, strict=True):
                runs.append(work())
            shown = " against ".join(f"{runs[-1].wall:.1f} s" for runs in taken)
            print(f"  round {number}: {shown}", flush=True)
        return taken


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="1: two million log lines")
    chosen = parser.parse_args(arguments)
    if shutil.which("goaccess") is None:
        print(INSTALL, file=sys.stderr)
        return 1
    chosen.folder.mkdir(parents=True, exist_ok=True)
    text = _measured(Bench(chosen.folder.absolute(), chosen.rounds), chosen.scale)
    print(text)
    if chosen.scale == 1:
        (ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")
    return 0


def _measured(bench: Bench, scale: float) -> str:
    lines, rows = int(2_000_000 * scale), int(10_000_000 * scale)
    log = bench.folder / f"access-{lines}.log"
    long_log = bench.folder / f"access-{lines * 10}.log"
    views = bench.folder / f"page-views-{rows}.csv"
    files.write_access_log(log, lines)
    files.write_access_log(long_log, lines * 10)
    files.write_page_views(views, rows)
    print(f"Access log of {lines:,} lines: GoAccess against landing and audit", flush=True)
    other, ours = bench.alternate(lambda: bench.goaccess(log), lambda: bench.worker("audited", log))
    print(f"Access log of {lines * 10:,} lines: landing and audit", flush=True)
    longer = bench.worker("audited", long_log)
    print(f"CSV of {rows:,} rows: COPY to Parquet against landing", flush=True)
    copied, landed = bench.alternate(
        lambda: bench.worker("copy", views), lambda: bench.worker("land", views)
    )
    return page.written(
        Measured(
            at=datetime.now(UTC),
            rounds=bench.rounds,
            load=os.getloadavg(),
            lines=lines,
            rows=rows,
            log_size=log.stat().st_size,
            views_size=views.stat().st_size,
            goaccess=median(other),
            audited=median(ours),
            audited_inside=_inside(ours),
            longer=longer,
            copied=median(copied),
            copied_inside=_inside(copied),
            landed=median(landed),
            landed_inside=_inside(landed),
        )
    )


def _inside(runs: Sequence[Run]) -> Run:
    """The same without the start of the process and the loading of its libraries."""
    said = [json.loads(run.output) for run in runs]
    return median(
        [Run(s["wall"], s["cpu"], run.peak, "") for s, run in zip(said, runs, strict=True)]
    )


if __name__ == "__main__":
    sys.exit(main())
