from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from govcloud import clock
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.reconciliation import services, sweeps
from govcloud.reconciliation.findings import RECONCILER
from govcloud.reconciliation.lifecycle import FindingStatus, SweepStatus
from govcloud.reconciliation.models import Extent, Finding, Sweep


class Command(BaseCommand):
    help = "Compare clouds with the records, and show what is not as recorded (exit status 1 while anything is open, 2 if no pass could be made)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cloud", metavar="CODE", help="only this one; else all that are in use")
        parser.add_argument("--full", action="store_true", help="everything, not only what has changed")

    def handle(self, *_args: Any, **options: Any) -> None:
        clouds = Cloud.objects.exclude(status=CloudStatus.RETIRED)
        if options["cloud"]:
            clouds = Cloud.objects.filter(code=options["cloud"])
            if not clouds:
                raise CommandError(f"There is no cloud {options['cloud']!r}.", returncode=2)
        console = Console()
        done = [self._sweep(cloud, console, full=options["full"]) for cloud in clouds]
        console.print(_passes(done))
        open_ones = (
            Finding.objects.filter(
                status__in=[FindingStatus.SUSPECTED, FindingStatus.OPEN, FindingStatus.APPLYING]
            )
            .select_related("cloud", "system")
            .prefetch_related("differences")
        )
        if open_ones:
            console.print(_findings(list(open_ones)))
        failed = [sweep for sweep in done if sweep.status != SweepStatus.DONE]
        if failed:
            raise CommandError(
                "; ".join(f"{sweep.cloud.code}: {sweep.failure}" for sweep in failed), returncode=2
            )
        if open_ones.filter(status=FindingStatus.OPEN).exists():
            raise CommandError("Something is not as recorded.", returncode=1)

    def _sweep(self, cloud: Cloud, console: Console, *, full: bool) -> Sweep:
        try:
            waiting = sweeps.request(
                cloud=cloud, extent=Extent.FULL if full else None, actor=RECONCILER, at=clock.now()
            )
        except sweeps.SweepUnderWay as error:
            raise CommandError(str(error), returncode=2) from error
        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task(cloud.code, total=None)
            seen = 0

            def tell(what: str, count: int) -> None:
                nonlocal seen
                seen += count
                progress.update(bar, description=f"{cloud.code}: {what}, {seen} looked at")

            services.sweep(waiting=waiting, clock=clock.now, progress=tell)
        waiting.refresh_from_db()
        return waiting


def _passes(done: list[Sweep]) -> Table:
    table = Table("cloud", "extent", "status", "API calls", "looked at", "opened", "closed", "seconds")
    for sweep in done:
        figures = (sweep.api_calls, sweep.objects_seen, sweep.findings_opened, sweep.findings_closed)
        seconds = "" if sweep.seconds is None else f"{sweep.seconds:.1f}"
        table.add_row(sweep.cloud.code, sweep.extent, sweep.status, *map(str, figures), seconds)
    return table


def _findings(findings: list[Finding]) -> Table:
    table = Table("status", "finding", "what", "name", "system", "expected, found", "proposal")
    for finding in findings:
        values = "\n".join(
            f"{d.field}: {d.expected or '-'}, {d.found or '-'}" for d in finding.differences.all()
        )
        system = finding.system.code if finding.system else ""
        table.add_row(
            finding.status,
            finding.kind,
            finding.subject,
            finding.name or finding.external_id,
            system,
            values,
            finding.remedy,
        )
    return table
