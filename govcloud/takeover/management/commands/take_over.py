from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from govcloud import clock
from govcloud.catalog.models import Cloud
from govcloud.errors import DomainError
from govcloud.takeover import services, sheets, survey, taking
from govcloud.takeover.lifecycle import CandidateStatus, TakeoverStatus
from govcloud.takeover.models import Candidate, Takeover
from govcloud.takeover.vocabulary import Obstacle
from tenants.models import NetworkZone, System


class Command(BaseCommand):
    help = "Survey a project that was built outside, and take it over for a system (exit status 1 if something stays)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cloud", help="code of the cloud")
        parser.add_argument("project", help="id or name of the project there")
        parser.add_argument(
            "--system", metavar="CODE", help="whose it shall be; without it nothing is taken over"
        )
        parser.add_argument("--zone", choices=NetworkZone.values, help="network zone; else the system's")
        parser.add_argument("--lease-end", type=_moment, metavar="TIME", help="ISO 8601")
        parser.add_argument(
            "--billing-start", type=_moment, metavar="TIME", help="ISO 8601; else the takeover"
        )
        parser.add_argument(
            "--file", type=Path, help="CSV or XLSX: external_id, take, name; else all that can be"
        )
        parser.add_argument(
            "--raise-limits", action="store_true", help="lift the limits to what is taken over"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be taken over, and take nothing"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        console = Console()
        try:
            takeover = self._surveyed(console, options["cloud"], options["project"])
            if options["system"]:
                with transaction.atomic():
                    complete = self._taken(console, takeover, options)
                    transaction.set_rollback(options["dry_run"])
            else:
                complete = True
                console.print(_candidates(list(takeover.candidates.all())))
        except DomainError as error:
            raise CommandError(error.detail) from error
        if not complete:
            raise CommandError("Something stays.", returncode=1)

    def _surveyed(self, console: Console, code: str, project: str) -> Takeover:
        cloud = Cloud.objects.filter(code=code).first()
        if cloud is None:
            raise CommandError(f"There is no cloud {code!r}.")
        waiting = services.request(cloud=cloud, project=project, actor=survey.SURVEYOR, at=clock.now())
        taken = survey.take(waiting, at=clock.now())
        if taken is not None:
            columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
            with Progress(*columns, console=console, transient=True) as progress:
                bar, seen = progress.add_task(waiting.project_name, total=None), 0

                def tell(what: str, count: int) -> None:
                    nonlocal seen
                    seen += count
                    progress.update(bar, description=f"{waiting.project_name}: {what}, {seen} looked at")

                survey.carry_out(taken, clock=clock.now, progress=tell)
        waiting.refresh_from_db()
        if waiting.status != TakeoverStatus.SURVEYED:
            raise CommandError(waiting.failure or "A worker is surveying it already.", returncode=2)
        return waiting

    def _taken(self, console: Console, takeover: Takeover, options: dict[str, Any]) -> bool:
        """Whether everything that was to come begins to."""
        system = System.objects.filter(code=options["system"]).select_related("department").first()
        if system is None:
            raise CommandError(f"There is no system {options['system']!r}.")
        at, actor = clock.now(), survey.SURVEYOR
        to = services.Assignment(
            system=system, zone=options["zone"] or system.zone, lease_end=options["lease_end"],
            billing_start=options["billing_start"],
        )  # fmt: skip
        takeover = services.assign(takeover=takeover, to=to, actor=actor, at=at)
        chosen, wrong = self._chosen(takeover, options["file"], at=at)
        foreseen = taking.foresee(takeover=takeover, at=at)
        console.print(_quota(foreseen))
        begun = taking.take(
            takeover=takeover, candidates=chosen, raise_limits=options["raise_limits"], actor=actor, at=at
        )
        console.print(_candidates(list(takeover.candidates.all())))
        for line in (
            *(f"row {each.row.number}: {each.error.detail}" for each in wrong),
            *(f"{each.candidate}: {each.error.detail}" for each in begun.refused),
        ):
            console.print(line)
        stays = chosen is None and bool(foreseen.staying)
        return not wrong and not begun.refused and not stays

    def _chosen(
        self, takeover: Takeover, file: Path | None, *, at: datetime
    ) -> tuple[list[UUID] | None, list[sheets.Wrong]]:
        if file is None:
            return None, []
        return sheets.choose(takeover=takeover, rows=sheets.read(file), actor=survey.SURVEYOR, at=at)


def _moment(text: str) -> datetime:
    given = datetime.fromisoformat(text)
    return given if given.tzinfo else given.astimezone()


def _quota(foreseen: taking.Foreseen) -> Table:
    table = Table(
        "department",
        "quota",
        "limit",
        "after",
        "fits",
        title=f"All that can be: {foreseen.monthly_total} yuan a month",
    )
    for effect in foreseen.quota:
        limit = "" if effect.limit is None else str(effect.limit)
        table.add_row(
            str(effect.department), effect.dimension, limit, str(effect.after), "yes" if effect.fits else "no"
        )
    return table


def _candidates(candidates: list[Candidate]) -> Table:
    table = Table("what", "in the cloud", "here", "status", "why not")
    for each in candidates:
        shown = each.obstacles if each.status == CandidateStatus.OPEN else []
        why = "; ".join(str(Obstacle(obstacle).label) for obstacle in shown) or each.remark
        table.add_row(each.kind, each.found_name or each.external_id, each.name, each.status, why)
    return table
