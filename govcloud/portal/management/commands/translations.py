"""Keeps the Chinese texts complete: extracts every marked text, updates the catalogue, compiles it.

Needs Babel, a development dependency, and no gettext binaries. The compiled catalogue is committed, so an installation
needs neither.
"""

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation.template import templatize

PACKAGES = ("govcloud", "tenants", "api")
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
FIRST = datetime(
    2026, 11, 22, tzinfo=UTC
)  # in the file's header for ever: the date that matters is the commit's
PLACEHOLDER = re.compile(r"%\((\w+)\)|\{(\w+)\}")


class Command(BaseCommand):
    help = "Update and compile the Chinese catalogue; with --check only tell whether it is complete and up to date."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; fail when something is missing"
        )

    def handle(self, *, check: bool, **_options: Any) -> None:
        catalogue = updated()
        if not check:
            save(catalogue)
        complaints = list(faults(catalogue))
        for complaint in complaints:
            self.stderr.write(complaint)
        if complaints:
            raise CommandError(f"{len(complaints)} texts or files need attention")
        self.stdout.write(f"{len(catalogue)} texts, all translated")


def po_file() -> Path:
    return Path(settings.LOCALE_PATHS[0]) / "zh_Hans" / "LC_MESSAGES" / "django.po"


def kept() -> Catalog:
    """The catalogue as committed; an empty one when there is none yet."""
    if not po_file().exists():
        return Catalog(locale="zh_Hans")
    with po_file().open("rb") as file:
        return read_po(file, locale="zh_Hans")


def updated() -> Catalog:
    """The committed translations of exactly the texts that the sources mark now."""
    catalogue = kept()
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.project, catalogue.version = "govcloud", "1"
    catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
    catalogue.header_comment = "# govcloud in simplified Chinese; terms are those of docs/glossary.md."
    catalogue.creation_date = catalogue.revision_date = FIRST
    catalogue.fuzzy = False
    return catalogue


def extracted() -> Catalog:
    template = Catalog()
    for path in sources():
        name = str(path.relative_to(settings.BASE_DIR))
        for line, message, comments, context in messages(path):
            template.add(message, locations=[(name, line)], auto_comments=comments, context=context)
    return template


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        root = Path(settings.BASE_DIR) / package
        yield from sorted(root.rglob("*.py"))
        yield from sorted(root.rglob("templates/**/*.html"))


def messages(path: Path) -> Iterator[tuple[int, Any, list[str], str | None]]:
    """The marked texts of a file; a template is read as the Python that Django makes of it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        text = "\n".join(line.strip() for line in templatize(text, origin=str(path)).split("\n"))
    yield from extract("python", io.BytesIO(text.encode()), KEYWORDS)


def compiled(catalogue: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def written(catalogue: Catalog) -> bytes:
    """Sorted by text and without line numbers, so that moving code changes nothing here."""
    file = io.BytesIO()
    write_po(file, catalogue, width=120, sort_output=True, include_lineno=False)
    return file.getvalue()


def save(catalogue: Catalog) -> None:
    po_file().parent.mkdir(parents=True, exist_ok=True)
    po_file().write_bytes(written(catalogue))
    po_file().with_suffix(".mo").write_bytes(compiled(catalogue))


def faults(catalogue: Catalog) -> Iterator[str]:
    """What keeps the catalogue from being complete, and the files from being what they would be if made anew."""
    for message in catalogue:
        if not message.id:
            continue
        if not all(translations(message)):
            yield f"not translated: {message.id!r}"
        elif message.fuzzy:
            yield f"only guessed: {message.id!r}"
        elif placeholders(message.id) != placeholders(message.string):
            yield f"placeholders differ: {message.id!r} and {message.string!r}"
    if not po_file().exists() or po_file().read_bytes() != written(catalogue):
        yield f"out of date: {po_file().name}; run manage.py translations"
    binary = po_file().with_suffix(".mo")
    if not binary.exists() or binary.read_bytes() != compiled(catalogue):
        yield f"out of date: {binary.name}; run manage.py translations"


def translations(message: Message) -> tuple[str, ...]:
    forms = message.string if isinstance(message.string, (tuple, list)) else [message.string]
    return tuple(str(form or "") for form in forms)


def placeholders(text: Any) -> set[str]:
    """Named placeholders of a text or of any of its plural forms."""
    forms = text if isinstance(text, (tuple, list)) else (text,)
    return {"".join(names) for form in forms for names in PLACEHOLDER.findall(form)}
