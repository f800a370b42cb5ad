"""From a context to subject, text and HTML, in the reader's language.

Templates are strict (an unknown name raises) and HTML is escaped. Sentences are macros in
`_partials/sentences.txt`; they reach the HTML templates as plain text through `say`, so what they
hold is escaped once and never trusted.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import css_inline
from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.reporting.compose import Context
from kpi_pipeline.reporting.formats import BABEL_LOCALES, NO_BREAK, Formats


@dataclass(frozen=True)
class RenderedMail:
    """`subject` is one line; `text` and `html` say the same."""

    subject: str
    text: str
    html: str


def render(reports: Path, context: Context) -> RenderedMail:
    """The mail of that context. reports: the folder with the templates."""
    environment = _environment(reports, _language(context.reader.locale))
    line = environment.get_template(f"{context.report}/subject.txt").render(c=context)
    subject = one_line(line).replace(NO_BREAK, " ")
    text = _tidy(environment.get_template(f"{context.report}/body.txt").render(c=context))
    html = environment.get_template(f"{context.report}/body.html").render(
        c=context, subject=subject
    )
    return RenderedMail(subject, text, _inliner().inline(html))


def translations(reports: Path, language: str) -> gettext.NullTranslations:
    """The catalogue of one language, compiled in memory from its .po file."""
    path = reports / "locales" / language / "LC_MESSAGES" / "messages.po"
    if not path.exists():
        raise ConfigurationError(f"{path} is missing: there is no catalogue for {language!r}.")
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Sentences:
    """`say.name(…)` calls the macro of that name and returns one line of plain text."""

    def __init__(self, template: Template) -> None:
        self._module = template.module

    def __getattr__(self, name: str) -> Callable[..., str]:
        macro = getattr(self._module, name)

        def say(*args: Any, **kwargs: Any) -> str:
            return one_line(str(macro(*args, **kwargs)))

        return say


@cache
def _environment(reports: Path, language: str) -> Environment:
    catalogue = translations(reports, language)
    environment = Environment(  # escaped by name: all .html
        loader=FileSystemLoader(reports),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html",), default_for_string=False),
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
    formats = Formats(Locale.parse(BABEL_LOCALES[language]), catalogue.gettext)
    environment.filters.update(formats.filters())
    environment.globals["language"] = language
    environment.globals["say"] = Sentences(environment.get_template("_partials/sentences.txt"))
    return environment


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(keep_at_rules=True, minify_css=True, load_remote_stylesheets=False)


def one_line(text: str) -> str:
    """Runs of blanks and line breaks as one blank; no-break spaces stay."""
    line = re.sub(r"[ \t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+", " ", text).strip(" ")
    return one_stop(line)


def one_stop(text: str) -> str:
    """A sentence that ends with an abbreviation has one full stop: `1,4 p. p.`, not `1,4 p. p..`"""
    return re.sub(r"(?<=\w)\.\.(?=\s|$)", ".", text)


def _language(locale: str) -> str:
    language = locale.split("_")[0]
    return language if language in BABEL_LOCALES else "en"


def _tidy(text: str) -> str:
    """No trailing blanks and never two empty lines."""
    lines: list[str] = []
    for line in (one_stop(raw.rstrip()) for raw in text.splitlines()):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip() + "\n"
