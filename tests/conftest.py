"""Makes the fixture modules of this folder importable from every test folder, and runs the longest
test files first, so that two workers end at about the same time."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

LONGEST = ("test_replay.py", "test_real_input.py", "test_standalone.py", "test_day.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first; all else in the order it was found."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
