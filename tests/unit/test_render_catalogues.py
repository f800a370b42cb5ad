"""Every sentence of the mails exists in Spanish, with the same places for numbers."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

PROJECT = Path(__file__).resolve().parents[2]
METHODS = [("**.txt", "jinja2.ext:babel_extract"), ("**.html", "jinja2.ext:babel_extract")]
STRICT = {"**.txt": {"silent": "false"}, "**.html": {"silent": "false"}}
PLACE = re.compile(r"%\((\w+)\)s")


def written() -> set[str | tuple[str, ...]]:
    """Messages in the templates, and those `formats.py` asks for."""
    found = extract_from_dir(
        str(PROJECT / "reports"), METHODS, STRICT, directory_filter=lambda _: True
    )
    messages: set[str | tuple[str, ...]] = {message for _, _, message, _, _ in found}
    source = (PROJECT / "src/kpi_pipeline/reporting/formats.py").read_text()
    return messages | set(re.findall(r"self\.gettext\([\"']([^\"']+)[\"']\)", source))


def translated() -> dict[str | tuple[str, ...], tuple[str, ...]]:
    path = PROJECT / "reports/locales/es/LC_MESSAGES/messages.po"
    with path.open("rb") as file:
        catalogue = read_po(file)
    return {
        m.id: (m.string,) if isinstance(m.string, str) else tuple(m.string)
        for m in catalogue
        if m.id and not m.fuzzy
    }


def test_spanish_has_exactly_the_messages_that_are_written() -> None:
    assert set(translated()) == written()


def test_no_translation_is_empty_or_loses_a_place() -> None:
    wrong = {
        message: strings
        for message, strings in translated().items()
        for string in strings
        if not string
        or set(PLACE.findall(string))
        != set(PLACE.findall(message if isinstance(message, str) else message[1]))
    }
    assert wrong == {}
