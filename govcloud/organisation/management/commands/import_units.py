from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from govcloud import clock
from govcloud.audit.services import SystemActor
from govcloud.errors import DomainError
from govcloud.organisation import importing, reading, writing
from govcloud.organisation.importing import Action, Outcome

OPERATOR = SystemActor("import_units")


class Command(BaseCommand):
    help = (
        "Take divisions, units and systems in from an Excel workbook, all or nothing (exit status 1 if a cell stands in the way); "
        "with --dry-run only tell what would come of it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the workbook (.xlsx)")
        parser.add_argument("--dry-run", action="store_true", help="change nothing")
        parser.add_argument("--template", action="store_true", help="write an empty workbook to the file")

    def handle(self, *_args: Any, **options: Any) -> None:
        console, path = Console(), options["file"]
        if options["template"]:
            if path.exists():
                raise CommandError(f"{path} is there already.")
            try:
                path.write_bytes(writing.blank())
            except OSError as error:
                raise CommandError(str(error)) from error
            console.print(f"{path}: fill in what is yellow, and what else there is.")
            return
        outcome = self._taken_in(console, path, dry=options["dry_run"])
        _show(console, outcome)
        if outcome.problems:
            raise CommandError(f"Nothing was taken in: {len(outcome.problems)} problems.", returncode=1)

    def _taken_in(self, console: Console, path: Path, *, dry: bool) -> Outcome:
        try:
            if path.stat().st_size > reading.MOST_BYTES:
                raise reading.FileTooLarge(bytes=path.stat().st_size, most=reading.MOST_BYTES)
            content = path.read_bytes()
        except OSError as error:
            raise CommandError(str(error)) from error
        except DomainError as error:
            raise CommandError(error.detail) from error
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("Looking through" if dry else "Taking in", total=None)

            def tell(done: int, total: int) -> None:
                progress.update(bar, completed=done, total=total)

            try:
                return importing.run(
                    content=content, name=path.name, dry=dry, actor=OPERATOR, at=clock.now(), progress=tell
                )
            except DomainError as error:
                raise CommandError(error.detail) from error


def _show(console: Console, outcome: Outcome) -> None:
    table = Table("sheet", "row", "what", "name", "becomes", "changes")
    for done in outcome.rows:
        if done.action == Action.UNCHANGED:
            continue
        changes = "\n".join(
            f"{each.heading}: {each.before or '–'} → {each.after or '–'}" for each in done.changes
        )
        table.add_row(done.sheet, str(done.row), done.key, done.name, done.action, changes)
    if table.row_count:
        console.print(table)
    for problem in outcome.problems:
        console.print(
            f"[red]{problem.sheet} {problem.cell}[/] {problem.heading}: {problem.error.detail}",
            highlight=False,
        )
    counts = ", ".join(f"{outcome.count(action)} {action}" for action in Action)
    done_so = "Taken in" if outcome.applied else "Nothing has been changed; this is what would be"
    console.print(f"{done_so}: {counts}.")
