"""``python -m tests.chaos.simulate``: orders by the thousand through the unmodified engine on a cloud that fails at every step.

Exit status 1 when anything was lost, duplicated, orphaned or leaked. See docs/chaos.md.
"""

import argparse
import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tests.chaos import runner
from tests.chaos.runner import Outcome, Sum, Task


def main() -> int:
    options = _parser().parse_args()
    console = Console()
    if options.trace is not None:
        return _trace(options, console)
    wanted = runner.tasks(orders=options.orders, seed=options.seed, plain=options.plain)
    began, total = time.monotonic(), Sum()
    with serving(), _progress(console) as progress:
        bar = progress.add_task("orders", total=options.orders, violations=0)

        def told(task: Task, outcome: Outcome) -> bool:
            total.add(task, outcome)
            for each in outcome.violations:
                progress.console.print(
                    f"seed {task.seed}, {task.orders} orders: {each}", style="red", markup=False
                )
            progress.update(bar, advance=task.orders, violations=len(total.violations))
            return True

        runner.run(wanted, processes=options.processes, told=told)
    report = {
        "seed": options.seed, **total.as_json(), "wall_seconds": round(time.monotonic() - began, 1),
        "processes": options.processes,
    }  # fmt: skip
    _write(report, options.report)
    _tell(console, report)
    return 1 if total.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.simulate", description=__doc__)
    parser.add_argument("--orders", type=int, default=1000, help="how many, in worlds of 100")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first world; the next ones count up from it"
    )
    parser.add_argument(
        "--plain", action="store_true", help="without legal holds, and without anything that is taken over"
    )
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--report", type=Path, default=None, help="where the JSON goes (var/simulation.json)")
    parser.add_argument(
        "--trace", type=Path, default=None, help="run one world and write down all that happens in it"
    )
    return parser


def _trace(options: argparse.Namespace, console: Console) -> int:
    """One world in this process, with every event written down."""
    with serving(), runner.database(0):
        from tests.chaos.world import World  # noqa: PLC0415  Django is set up by now

        lines: list[str] = []
        try:
            outcome = World(seed=options.seed, orders=options.orders, plain=options.plain, trace=lines).run()
        finally:
            options.trace.write_text("\n".join(lines))
    for violation in outcome.violations:
        console.print(violation, style="red", markup=False)
    console.print(f"{outcome.orders} orders, digest {outcome.digest}, {len(lines)} lines in {options.trace}")
    return 1 if outcome.violations else 0


def serving() -> ExitStack:
    """The embedded database, unless there is another."""
    stack = ExitStack()
    if not os.environ.get("DATABASE_URL"):
        from govcloud.embedded.postgres import serving  # noqa: PLC0415

        stack.enter_context(serving(var()))
    return stack


def var() -> Path:
    return Path(os.environ.get("GOVCLOUD_VAR") or Path(__file__).resolve().parents[2] / "var").resolve()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("orders, {task.fields[violations]} violations"),
        TimeElapsedColumn(), TimeRemainingColumn(), console=console,
    )  # fmt: skip


def _write(report: dict[str, Any], path: Path | None) -> None:
    path = path or var() / "simulation.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")


def _tell(console: Console, report: dict[str, Any]) -> None:
    table = Table(show_header=False)
    for name, value in report.items():
        if name not in {"violations", "faults"}:
            table.add_row(name.replace("_", " "), str(value))
    table.add_row("faults", str(sum(report["faults"].values())))
    table.add_row("violations", str(len(report["violations"])))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
