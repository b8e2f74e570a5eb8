"""Keeps translations/en.po in step with the texts in code, templates and questionnaires; Vietnamese is the msgid.

python -m tests.tools.translations    add texts that are new (empty, to be translated) and drop those that are gone
"""

import io
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from tests.tools.tree import ROOT, SUBJECTS, text, under

ENGLISH = Path("translations/en.po")
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "lazy": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
}
HEADER = """\
# What people read on the screens, in English. Vietnamese, the source language, stands in the code.
# A literal percent sign is doubled: every text is a format string. `make translations` adds and drops texts."""


def main() -> int:
    """Bring the catalogue up to date, keeping the English of every text still used; name what is left to translate."""
    catalogue = english()
    catalogue.update(texts_of_the_tree(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    save(catalogue)
    empty = [name(message) for message in catalogue if message.id and not is_translated(message)]
    for words in empty:
        sys.stdout.write(f"{ENGLISH}: to be translated: {words}\n")
    sys.stdout.write(f"{ENGLISH}: {len(catalogue)} texts, {len(empty)} to be translated\n")
    return 0


def english() -> Catalog:
    """Read the English catalogue; an empty one when there is none yet."""
    path = ROOT / ENGLISH
    if not path.is_file():
        return Catalog(locale="en", fuzzy=False)
    with path.open("rb") as source:
        return read_po(source, locale="en")


def texts_of_the_tree() -> Catalog:
    """Return every text that goes through the catalogue, extracted anew."""
    catalogue = Catalog(locale="en", fuzzy=False)
    for message in _texts():
        catalogue.add(message)
    return catalogue


def _texts() -> Iterator[str | tuple[str, ...]]:
    for path in under(*SUBJECTS, "app.py", suffixes=(".py",)):
        yield from texts_of(path)
    for path in under("templates", suffixes=(".html",)):
        yield from texts_of(path)
    for path in under("feedback", suffixes=(".toml",)):
        if path.parent.name == "questionnaires":
            for question in tomllib.loads(text(path))["element"]:
                yield from (question["element"], question["text"])


def texts_of(path: Path) -> Iterator[str | tuple[str, ...]]:
    """Return the texts that a Python file or a template gives to the catalogue."""
    # "silent": a template that cannot be read shall be an error, not a file without texts.
    method, options = ("python", {}) if path.suffix == ".py" else ("jinja2", {"silent": "false"})
    source = io.BytesIO((ROOT / path).read_bytes())
    for _line, message, _comments, _context in extract(method, source, KEYWORDS, options=options):
        yield message


def save(catalogue: Catalog) -> None:
    """Write the catalogue sorted and without line numbers or dates, so that a change of it shows what has changed."""
    written = io.BytesIO()
    write_po(written, catalogue, width=120, sort_output=True, no_location=True, omit_header=True)
    head = 'msgid ""\nmsgstr ""\n"Language: en\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    head += f'"Plural-Forms: {catalogue.plural_forms}\\n"\n\n'
    (ROOT / ENGLISH).write_bytes(f"{HEADER}\n{head}".encode() + written.getvalue().strip() + b"\n")


def is_translated(message: Message) -> bool:
    """Tell whether a text has its English, in every plural form."""
    return message.string is not None and all(forms(message.string))


def forms(words: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Return the plural forms of a text, or its only one."""
    return (words,) if isinstance(words, str) else tuple(words)


def name(message: Message) -> str:
    """Return a text as the code has it; of two forms the first."""
    return forms(message.id)[0]


if __name__ == "__main__":
    raise SystemExit(main())
