"""A landing that is killed and started again ends as one that nobody disturbed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

from landing_workspace import Bench

from kpi_pipeline.workspace import Source

SOAK = Path(__file__).parents[1] / "soak.py"
DAY = date(2024, 6, 30)


def test_landings_killed_at_random_moments_lose_nothing() -> None:
    # in a process of its own: forks of one with threads may hang
    done = subprocess.run(
        [sys.executable, str(SOAK), "--seeds", "20"], capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0), done.stdout + done.stderr
    assert done.stdout.startswith("20 landings killed; "), done.stdout


def test_what_killed_landings_left_is_removed_and_what_others_use_stays(tmp_path: Path) -> None:
    source = Source("page_views", "page_views", "p", "{day}.csv", "csv", "file_per_day")
    b = Bench(tmp_path, sources=(source,))
    b.write(f"{DAY}.csv", "event_id,occurred_at,visitor_id,url\ne,2024-06-30T10:00:00Z,v,/\n")
    (piece,) = b.land("page_views", [DAY])
    stale = b.folder(piece) / "page_views-0123456789abcdef.parquet"
    stale.write_bytes(b"of a slice replaced just before the kill")
    left, used = (b.settings.landing / f".landing-{name}" for name in ("left", "used"))
    for folder in (left, used):
        (folder / "0").mkdir(parents=True)
        (folder / "0" / "good-0.csv").write_text("1\n")
    descriptor = os.open(used, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        assert b.land("page_views", [DAY]) == [piece]
        assert sorted(p.name for p in b.folder(piece).iterdir()) == sorted(
            piece.files | {"slice.json"}
        )
        assert [p.name for p in b.settings.landing.glob(".*")] == [".landing-used"]
    finally:
        os.close(descriptor)
    b.land("page_views", [DAY])
    assert list(b.settings.landing.glob(".*")) == []
