"""The commented workspace that `kpi init` writes."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from kpi_pipeline.errors import ConfigurationError


def write_template(path: Path) -> list[Path]:
    """Write the template's files under `path` and return them, in order.

    Raises ConfigurationError, and writes nothing, when one of them is already there.
    """
    source = resources.files("kpi_pipeline.workspace") / "template"
    files = dict(sorted(_walk(source, Path())))
    for name in files:
        if (path / name).exists():
            raise ConfigurationError(
                f"{path / name} already exists; `kpi init` overwrites nothing. Name an empty "
                "folder."
            )
    written = []
    for name, file in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
        written.append(target)
    return written


def _walk(folder: Traversable, below: Path) -> list[tuple[Path, Traversable]]:
    found: list[tuple[Path, Traversable]] = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _walk(item, below / item.name)
        else:
            found.append((below / item.name, item))
    return found
