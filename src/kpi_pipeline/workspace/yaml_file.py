"""Reads a YAML file with the line of every key, and checks mappings against known keys."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

import yaml

from kpi_pipeline.workspace.problems import Problems, nearest, one_of

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class Node:
    """A value of the file: plain text, a list or a mapping, with the line it began on (from 1)."""

    value: str | list[Node] | dict[str, Node]
    line: int
    is_text: bool = True
    """False for a scalar written without quotes."""


def read(path: Path, problems: Problems) -> Node | None:
    """The file as a tree whose scalars are texts as written; None when it cannot be read."""
    try:
        if not path.is_file():
            problems.add(path.name, "is missing; `kpi init` writes one to start from.")
            return None
        root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except OSError as error:
        problems.add(path.name, f"cannot be read: {error.strerror}.")
        return None
    except UnicodeDecodeError as error:
        problems.add(path.name, f"is not UTF-8 at byte {error.start}; expected a UTF-8 text file.")
        return None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.add(f"{path.name}, line {line}", f"is not YAML: {error.problem}.")
        return None
    except yaml.YAMLError as error:
        problems.add(path.name, f"is not YAML: {str(error).splitlines()[0]}.")
        return None
    if root is None:
        problems.add(path.name, "is empty; expected keys and values.")
        return None
    return _node(root, path.name, problems)


def _node(raw: yaml.Node, file: str, problems: Problems) -> Node:
    line = raw.start_mark.line + 1
    if isinstance(raw, yaml.ScalarNode):
        return Node(raw.value, line, is_text=raw.style is not None)
    if isinstance(raw, yaml.SequenceNode):
        return Node([_node(item, file, problems) for item in raw.value], line)
    mapping: dict[str, Node] = {}
    for key, value in raw.value:
        name = str(key.value)
        if name in mapping:
            problems.add(
                f"{file}, line {key.start_mark.line + 1}, key {name}",
                f"was already given in line {mapping[name].line}; expected it once.",
            )
        mapping[name] = _node(value, file, problems)
    return Node(mapping, line)


class Mapping:
    """A mapping of the file under the keys it may have; reports what is unknown or missing."""

    def __init__(
        self, file: str, path: str, node: Node, allowed: Iterable[str], problems: Problems
    ) -> None:
        self.file, self.path, self.node, self.problems = file, path, node, problems
        self.items: dict[str, Node] = {}
        if not isinstance(node.value, dict):
            problems.add(self.place(), f"is not a mapping; expected keys {one_of(allowed)}.")
            return
        keys = tuple(allowed)
        for key, value in node.value.items():
            if key in keys:
                self.items[key] = value
            else:
                rest = [k for k in keys if k not in node.value]
                problems.add(
                    self.place(key, value.line),
                    f"is not a known key.{nearest(key, rest or keys)}"
                    if len(keys) > 12 and nearest(key, rest or keys)
                    else f"is not a known key; expected {one_of(keys)}."
                    f"{nearest(key, rest or keys)}",
                )

    def place(self, key: str | None = None, line: int | None = None) -> str:
        node = self.items.get(key) if key else None
        at = line or (node.line if node else self.node.line)
        dotted = ".".join(part for part in (self.path, key) if part)
        return f"{self.file}, line {at}, key {dotted}" if dotted else f"{self.file}, line {at}"

    def add(self, key: str, message: str) -> None:
        self.problems.add(self.place(key), message)

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def text(self, key: str, default: str | None = None, *, expected: str = "a text") -> str | None:
        """The text under the key; the default where it is not given (None: it is required)."""
        node = self.items.get(key)
        if node is None:
            if default is None and isinstance(self.node.value, dict):
                self.add(key, f"is missing; expected {expected}.")
            return default
        if not isinstance(node.value, str):
            self.add(key, f"is not a single value; expected {expected}.")
            return default
        if not node.value and default is None:
            self.add(key, f"is empty; expected {expected}.")
            return None
        return node.value

    def optional(self, key: str) -> str | None:
        return self.text(key, "") or None

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str | None:
        value = self.text(key, default, expected=one_of(choices))
        if value is not None and value not in choices:
            self.add(key, f"'{value}' is not {one_of(choices)}.{nearest(value, choices)}")
            return default
        return value

    def boolean(self, key: str, default: bool) -> bool:
        value = self.choice(key, ("true", "false"), "true" if default else "false")
        return value == "true"

    def whole(self, key: str, default: int) -> int:
        value = self.text(key, str(default), expected="a whole number of 0 or more")
        if value is None or not value.isdigit():
            self.add(key, f"'{value}' is not a whole number of 0 or more.")
            return default
        return int(value)

    def time(self, key: str, default: str | None = None) -> time | None:
        """A time of day written HH:MM."""
        value = self.text(key, default, expected="a time such as 07:30")
        if value is None:
            return None
        match = _TIME.fullmatch(value)
        if match is None:
            self.add(key, f"'{value}' is not a time of day; expected HH:MM, such as 07:30.")
            return None
        return time(int(match[1]), int(match[2]))

    def date(self, key: str) -> date | None:
        value = self.text(key, expected="a date written YYYY-MM-DD")
        if value is None:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.add(key, f"'{value}' is not a date written YYYY-MM-DD.")
            return None

    def texts(self, key: str) -> dict[str, str]:
        """A mapping of texts; empty when not given."""
        node = self.items.get(key)
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self.add(key, "is not a mapping; expected names and values.")
            return {}
        found: dict[str, str] = {}
        for name, value in node.value.items():
            if isinstance(value.value, str):
                found[name] = value.value
            else:
                self.problems.add(
                    self.place(f"{key}.{name}", value.line),
                    "is not a single value; expected a text.",
                )
        return found

    def sequence(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts."""
        node = self.items.get(key)
        if node is None:
            return default
        if not isinstance(node.value, list) or not all(
            isinstance(item.value, str) for item in node.value
        ):
            self.add(key, 'is not a list of texts; expected one such as ["", "NULL"].')
            return default
        return tuple(str(item.value) for item in node.value)
