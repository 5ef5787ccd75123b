"""What a server is busy with: entered by a request, left by the timeline, noted in the server's history."""

from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.compute import history
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Call

_NAMES = {
    "powering-off": "stop",
    "powering-on": "start",
    "rebooting": "reboot",
    "rebooting_hard": "reboot",
    "resize_prep": "resize",
    "resize_reverting": "revertResize",
    "rebuilding": "rebuild",
}


def begin(call: Call, row: Row, task: str | None, then: str, name: str = "", **args: Any) -> Answer:
    """Enter a task and leave it with transition `then`; `name` is what the history calls it, if not by its task."""
    call.cloud.change("server", row, at=call.now, task_state=task)
    action_id = history.record(call, row, name or _NAMES[str(task)])
    if call.outcome != "stuck":
        seconds = call.cloud.timing.action_seconds
        call.cloud.timeline.schedule(
            then, call.now, seconds=seconds, server_id=row["id"], action_id=action_id, **args
        )
    return Answer(202)


def alive(cloud: Cloud, args: dict[str, Any], at: datetime, *, failed: bool = False) -> Row | None:
    """The server at the end of its task, noted in its history; None when it is being deleted instead."""
    row = cloud.store.get("server", args["server_id"])
    if row is None or row["deleted"] or row["task_state"] == "deleting":
        return None
    history.finish(cloud, args["action_id"], at=at, failed=failed)
    return row
