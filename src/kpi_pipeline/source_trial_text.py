"""A trial of a source told: files, columns, rows, days, what would be in quarantine, hints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from kpi_pipeline.quarantine_text import many, quoted, shown
from kpi_pipeline.source_trial import SetAside, Trial

LISTED = 5
GROUPS = 10
CELL = 32


def told(trial: Trial) -> Iterator[str]:
    """The whole answer, line by line."""
    source = trial.declared.source
    yield (
        f"Source {trial.declared.number} of sources.yml: {source.feed} of {source.product}, "
        f"table {source.table}"
    )
    yield from _files(trial)
    if trial.wanted:
        yield ""
        yield from _columns(trial)
    if trial.files:
        yield ""
        yield from _rows(trial)
    for title, lines in (
        ("In quarantine:", list(_quarantine(trial.set_aside))),
        ("Problems:", [f"  - {problem}" for problem in trial.problems]),
        ("Hints:", [f"  - {hint}" for hint in trial.hints]),
    ):
        if lines:
            yield ""
            yield title
            yield from lines


def _files(trial: Trial) -> Iterator[str]:
    source = trial.declared.source
    written = {"csv": f"csv, {source.encoding}", "access_log": f"access_log, {source.log_format}"}
    yield f"  {source.files} ({written.get(source.format, source.format)}, {source.arrival})"
    if not trial.files:
        yield "  no files"
        return
    read = f", read here: the latest {len(trial.files)}" if trial.found > len(trial.files) else ""
    yield f"  {many(trial.found, 'file')} found{read}"
    for file in trial.files[-LISTED:]:
        replaced = f", instead of {', '.join(file.replaces)}" if file.replaces else ""
        state = "cannot be used" if file.problem else many(file.rows, "row")
        yield f"    {shown(file.name, 200)}: {state}{replaced}"
    if len(trial.files) > LISTED:
        yield f"    and {len(trial.files) - LISTED} before"


def _columns(trial: Trial) -> Iterator[str]:
    seen = {name: column for column in trial.seen for name in column.contract}
    head = ("column", "wanted", "from", "looks like", "example")
    lines = [head]
    for column in trial.wanted:
        there = seen.get(column.name)
        origin = column.origin + (f", perhaps {column.likely!r}" if column.likely else "")
        lines.append(
            (
                column.name,
                column.type + (", required" if column.is_required else ""),
                origin,
                there.shape if there else "",
                shown(there.example, CELL) if there else "",
            )
        )
    yield from _table(lines)
    own = {column.name: column for column in trial.seen}
    if trial.unused:
        yield ""
        yield "Not used:"
        yield from _table(
            [(name, own[name].shape, shown(own[name].example, CELL)) for name in trial.unused]
        )


def _rows(trial: Trial) -> Iterator[str]:
    dropped = sum(trial.dropped.values())
    rules = ", ".join(f"{n:,} by {rule}" for rule, n in sorted(trial.dropped.items()))
    yield (
        f"{many(trial.read, 'row')} read = {trial.landed:,} landed + {trial.quarantined:,} "
        f"in quarantine + {dropped:,} dropped" + (f" ({rules})" if rules else "")
    )
    if trial.others:
        yield f"{many(trial.others, 'row')} of other products besides"
    if trial.made != trial.landed:
        yield f"they become {many(trial.made, 'row')}, because rows of one key are added"
    if trial.days:
        first, last = min(trial.days), max(trial.days)
        rows = many(round(median(trial.days.values())), "row")
        span = f"{first}" if first == last else f"{first} to {last}"
        yield f"{many(len(trial.days), 'day')}, {span}, {rows} on the median day"
    if trial.rows:
        yield ""
        yield "First rows as they would land:"
        cells = [tuple(shown(cell, CELL) for cell in row) for row in trial.rows]
        yield from _table([trial.columns, *cells])


def _quarantine(aside: Sequence[SetAside]) -> Iterator[str]:
    for one in aside[:GROUPS]:
        group = one.group
        value = "" if group.value is None else f" {quoted(group.value)}"
        column = "" if group.column_name is None else f"{group.column_name}:{value} "
        expected = f"expected {group.expected}; " if group.expected else ""
        row = "" if group.row_number is None else f", row {group.row_number}"
        first = "first " if group.rows > 1 else ""
        yield f"  {many(group.rows, 'row')}: {column}{group.reason}"
        yield f"    {expected}{first}in {shown(group.source_file, 200)}{row}"
        for remedy in one.remedies:
            yield f"    - {remedy.text}"
    if len(aside) > GROUPS:
        yield f"  and {len(aside) - GROUPS} more kinds"


def _table(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  " + "  ".join(cells).rstrip()
