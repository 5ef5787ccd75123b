"""Chapter 4, and every later change: watching what is done to the cloud until the order is fulfilled."""

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from govcloud.demo.story.client import Json
from govcloud.demo.story.ordering import SERVERS
from govcloud.demo.story.stage import APPLICANT, CLOUD_ADMIN, Stage
from govcloud.demo.story.teller import ClaimFailed

FULFILLED = frozenset({"fulfilled"})
ENDED = frozenset({"fulfilled", "cancelled"})
DONE = frozenset({"done", "skipped"})
CONFIGURED, CONFIRMED = "configure", "confirm"
VOLUMES = 2 * SERVERS


def build(stage: Stage) -> None:
    stage.order = follow(stage, stage.order)
    steps = steps_of(stage, stage.order)
    stage.teller.facts["cloud_resources"] = [
        {"name": unit["name"], "kind": unit["resource"]["kind"], "id": unit["resource"]["external_id"]}
        for unit in stage.order["units"]
        if unit["resource"]
    ]
    built = [unit for unit in stage.order["units"] if unit["resource"]]
    stage.teller.claim("every unit of the order has its resource", len(built) == len(stage.order["units"]))
    stage.teller.facts["steps"] = [
        {name: step[name] for name in ("label", "kind", "state", "attempts", "started_at", "finished_at")}
        for step in steps
    ]
    _check_recaps(stage, steps)
    _check_recovery_points(stage)
    _confirm(stage)


def _confirm(stage: Stage) -> None:
    """The department says that it is as it was approved; flows of earlier releases, in a demo that was kept, do not ask for it."""
    if not stage.order["case"]["confirmations"]:
        return
    answer = {"answer": "confirmed", "remark": "已逐台核对，与审批结果一致。"}
    stage.order = stage.people[APPLICANT].post(f"orders/{stage.order['uuid']}/confirmation", answer)
    (asked,) = stage.order["case"]["confirmations"]
    stage.teller.claim(
        "the department has confirmed what was delivered", asked["answer"] == "confirmed", found=asked
    )


def follow(stage: Stage, order: Json) -> Json:
    """Watch the order's operations until it is fulfilled. Raises ClaimFailed when one has to wait for an administrator."""
    applicant, number = stage.people[APPLICANT], order["number"]
    bars: dict[str, TaskID] = {}
    columns = (TextColumn("   {task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stage.teller.console, transient=True) as progress:
        for _turn in stage.looks(f"{number} is fulfilled"):
            order = applicant.get(f"orders/{order['uuid']}")
            for operation in order["operations"]:
                _show(progress, bars, operation)
            if order["status"] in ENDED:
                break
            _refuse_parked(stage, order)
    stage.teller.claim(f"{number} is fulfilled", order["status"] in FULFILLED, found=order["status"])
    return order


def _show(progress: Progress, bars: dict[str, TaskID], operation: Json) -> None:
    bar = bars.setdefault(operation["uuid"], progress.add_task(operation["kind"], total=None))
    counted = operation["progress"]
    progress.update(bar, total=counted["steps"], completed=counted["finished"])


def _refuse_parked(stage: Stage, order: Json) -> None:
    for operation in order["operations"]:
        if operation["status"] != "parked":
            continue
        steps = stage.people[CLOUD_ADMIN].get(f"operations/{operation['uuid']}")["steps"]
        stuck = [
            f"{step['label']}, {step['kind']}: {step['last_error']}"
            for step in steps
            if step["state"] == "parked"
        ]
        raise ClaimFailed(f"{order['number']} waits for an administrator: {'; '.join(stuck)}")


def steps_of(stage: Stage, order: Json) -> list[Json]:
    """The steps of all operations of the order, as an administrator sees them."""
    admin = stage.people[CLOUD_ADMIN]
    return [
        step
        for operation in order["operations"]
        if operation["kind"] != "backup"
        for step in admin.get(f"operations/{operation['uuid']}")["steps"]
    ]


def _check_recaps(stage: Stage, steps: list[Json]) -> None:
    """The security baseline: the first run changes the server, the second finds nothing left to change."""
    claim = stage.teller.claim
    claim(f"all {len(steps)} steps are done", all(step["state"] in DONE for step in steps))
    runs = {
        kind: {step["label"]: step for step in steps if step["kind"] == kind}
        for kind in (CONFIGURED, CONFIRMED)
    }
    claim("both servers were configured and checked", all(len(run) == SERVERS for run in runs.values()))
    skipped = sorted(name for name, step in runs[CONFIGURED].items() if step["state"] == "skipped")
    if skipped:
        stage.teller.tell(
            f"[yellow]No guests on this machine: {', '.join(skipped)} were not configured[/yellow]"
        )
    else:
        _claim_unchanged(stage, runs)
    stage.teller.facts["ansible"] = {
        kind: {name: step["recaps"] for name, step in run.items()} for kind, run in runs.items()
    }


def _claim_unchanged(stage: Stage, runs: dict[str, dict[str, Json]]) -> None:
    claim = stage.teller.claim
    for name, step in runs[CONFIGURED].items():
        changed = _changed(step)
        claim(f"Ansible changed {changed} things on {name}", changed > 0, found=step["recaps"])
    for name, step in runs[CONFIRMED].items():
        claim(
            f"its second run on {name} changed=0",
            step["recaps"] and _changed(step) == 0,
            found=step["recaps"],
        )


def _changed(step: Json) -> int:
    return sum(int(recap["changed"]) for recap in (step["recaps"] or {}).values())


def _check_recovery_points(stage: Stage) -> None:
    """The first backups begin as soon as the servers are there."""
    applicant, system = stage.people[APPLICANT], stage.system["uuid"]

    def look() -> list[Json] | None:
        points = list(applicant.all("recovery-points", system=system))
        return points if len({point["volume"] for point in points}) >= VOLUMES else None

    points = stage.wait("every volume has a recovery point", look)
    stage.teller.claim(f"all {VOLUMES} volumes have a recovery point", len(points) >= VOLUMES)
    stage.teller.claim("and all of them are off site", all(point["off_site"] for point in points))
    stage.teller.facts["recovery_points"] = [
        {name: point[name] for name in ("uuid", "volume_name", "taken_at", "size_gb", "off_site")}
        for point in points
    ]
