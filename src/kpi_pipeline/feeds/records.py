"""Lines of a broken CSV file as records: what is one is kept, what is none is named, alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LOOK_AHEAD = 1000  # lines a quoted text may go over


@dataclass(frozen=True)
class Record:
    """Fields of a record, and how many physical lines, and blank ones among them, it takes."""

    fields: list[str]
    lines: int
    blank: int


@dataclass(frozen=True)
class Broken:
    """A line that is no record, and why."""

    reason: str


def records(
    lines: Iterable[str | Broken], first: int, delimiter: str, width: int
) -> Iterator[tuple[int, Record | Broken]]:
    """Each record with the number of its first line; blank lines are none.

    lines: as text, or Broken where they cannot be read. first: the number of the first line. An
    unclosed quote goes on over the next lines only if it then closes in a record of the right width
    and none of the lines between is a record of its own; else it is broken, alone.
    """
    source = iter(lines)
    ahead: deque[str | Broken] = deque()
    number = first

    def fill(size: int) -> None:
        while len(ahead) < size:
            try:
                ahead.append(next(source))
            except StopIteration:
                return

    while True:
        fill(1)
        if not ahead:
            return
        text = ahead[0]
        taken = 1
        if text == "":
            ahead.popleft()
            number += 1
            continue
        record: Record | Broken
        if isinstance(text, Broken):
            record = text
        else:
            fields, closed = split(text, delimiter)
            if closed and len(fields) == width:
                record = Record(fields, 1, 0)
            elif closed:
                columns = "1 column" if len(fields) == 1 else f"{len(fields)} columns"
                record = Broken(f"the line has {columns}")
            else:
                fill(LOOK_AHEAD)
                joined = _joined(ahead, delimiter, width)
                record = joined or Broken("a quote is not closed")
                taken = joined.lines if joined else 1
        yield number, record
        for _ in range(taken):
            ahead.popleft()
        number += taken


def _joined(lines: deque[str | Broken], delimiter: str, width: int) -> Record | None:
    text = str(lines[0])
    blank = 0
    for end in range(1, len(lines)):
        part = lines[end]
        if isinstance(part, Broken):
            return None
        text += "\n" + part
        blank += not part
        if '"' in part:
            fields, closed = split(text, delimiter)
            if closed:
                return Record(fields, end + 1, blank) if len(fields) == width else None
        own, closed = split(part, delimiter)
        if closed and len(own) == width and width > 1:
            return None
    return None


def split(text: str, delimiter: str) -> tuple[list[str], bool]:
    """The fields of a line, and whether every quote that opens a field also closes it."""
    if '"' not in text:
        return text.split(delimiter), True
    fields: list[str] = []
    position = 0
    while True:
        if text.startswith('"', position):
            value = []
            position += 1
            while True:
                end = text.find('"', position)
                if end < 0:
                    return fields, False
                value.append(text[position:end])
                if text.startswith('"', end + 1):
                    value.append('"')
                    position = end + 2
                else:
                    position = end + 1
                    break
            if position < len(text) and not text.startswith(delimiter, position):
                return fields, False
            fields.append("".join(value))
        else:
            end = text.find(delimiter, position)
            end = len(text) if end < 0 else end
            fields.append(text[position:end])
            position = end
        if position >= len(text):
            return fields, True
        position += len(delimiter)
