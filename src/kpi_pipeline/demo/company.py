"""The simulated company's workspace, written once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

FIRST_DAY = date(2023, 1, 1)
LAST_DAY = date(2024, 6, 30)


def is_written(folder: Path) -> bool:
    """Whether the company's workspace and all its data are in `folder`."""
    truth = folder / "truth.json"
    return truth.is_file() and bool(json.loads(truth.read_text(encoding="utf-8"))["is_complete"])


def write_company(folder: Path, progress: Callable[[str], None]) -> None:
    """Write the workspace and 18 months of data to `folder`, the same bytes every time."""
    from kpi_pipeline import simulate

    simulate.generate(folder, FIRST_DAY, LAST_DAY, progress=progress)
