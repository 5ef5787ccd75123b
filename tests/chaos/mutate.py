"""``python -m tests.chaos.mutate``: whether the simulation notices when one safeguard of the engine is taken out.

Each is taken out in turn, and worlds are simulated until one has a violation. Exit status 1 when one stays unnoticed.
"""

import argparse
import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.progress import Progress

from tests.chaos import runner
from tests.chaos.runner import Outcome, Task
from tests.chaos.simulate import serving, var
from tests.chaos.weather import HEARD_LATE, Weather

NAMES = ("fence", "intent", "swap", "guard", "settle", "second-look", "power", "shared-clock")
SHOWN_BY: dict[str, Weather] = {"swap": HEARD_LATE}
"""In what weather one is looked for that other worlds show too seldom."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first world")
    parser.add_argument("--worlds", type=int, default=40, help="to try before a mutation counts as unnoticed")
    parser.add_argument("--orders", type=int, default=60, help="in each world")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all by default: {', '.join(NAMES)}")
    options = parser.parse_args()
    console, found = Console(), {}
    with serving(), Progress(console=console) as progress:
        for name in options.names or NAMES:
            found[name] = _first_violation(name, options, progress)
            shown = found[name]
            text = f"noticed in world {shown['seed']}: {shown['what'][:150]}" if shown else "NOT NOTICED"
            console.print(f"without {name}: {text}", markup=False)
    (var() / "mutations.json").write_text(json.dumps(found, indent=2) + "\n")
    return 0 if all(found.values()) else 1


def _first_violation(name: str, options: argparse.Namespace, progress: Progress) -> dict[str, Any] | None:
    first: list[dict[str, Any]] = []
    bar = progress.add_task(f"without {name}", total=options.worlds)

    def told(task: Task, outcome: Outcome) -> bool:
        progress.advance(bar)
        first.extend(
            {"seed": task.seed, "orders": task.orders, "what": each} for each in outcome.violations[:1]
        )
        return not first

    worlds = [
        Task(options.seed + number, options.orders, name, SHOWN_BY.get(name))
        for number in range(options.worlds)
    ]
    runner.run(worlds, processes=options.processes, told=told)
    progress.remove_task(bar)
    return first[0] if first else None


if __name__ == "__main__":
    sys.exit(main())
