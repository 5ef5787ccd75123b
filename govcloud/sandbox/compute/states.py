"""How a server's vm_state and task_state read as a status, and who may do what in which state."""

from datetime import datetime

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import conflict
from govcloud.sandbox.store import Row

RUNNING, SHUTDOWN, NOSTATE = 1, 4, 0

_BY_VM_STATE = {
    "active": "ACTIVE",
    "building": "BUILD",
    "stopped": "SHUTOFF",
    "resized": "VERIFY_RESIZE",
    "paused": "PAUSED",
    "suspended": "SUSPENDED",
    "error": "ERROR",
    "deleted": "DELETED",
}
_BY_TASK = {
    "rebooting": "REBOOT",
    "rebooting_hard": "HARD_REBOOT",
    "rebuilding": "REBUILD",
    "resize_prep": "RESIZE",
    "resize_migrating": "RESIZE",
    "resize_finish": "RESIZE",
    "resize_reverting": "REVERT_RESIZE",
}


def status_of(row: Row) -> str:
    """Nova's status."""
    task = row["task_state"]
    if row["vm_state"] in {"active", "stopped", "error", "resized"} and task in _BY_TASK:
        return _BY_TASK[task]
    return _BY_VM_STATE[row["vm_state"]]


def require(row: Row, action: str, *, vm_states: set[str], idle: bool = True) -> None:
    """Refuse an action in the wrong state.

    Raises:
        ApiError: 409 as Nova words it; for a locked server too.

    """
    if row["locked"]:
        raise conflict(f"Instance {row['id']} is locked")
    if row["vm_state"] not in vm_states:
        raise conflict(f"Cannot '{action}' instance {row['id']} while it is in vm_state {row['vm_state']}")
    if idle and row["task_state"] is not None:
        raise conflict(
            f"Cannot '{action}' instance {row['id']} while it is in task_state {row['task_state']}"
        )


def fail(cloud: Cloud, row: Row, message: str, *, at: datetime, code: int = 500) -> None:
    """Put a server into ERROR with a fault."""
    fault = {"code": code, "created": at.isoformat(timespec="seconds"), "message": message}
    cloud.change("server", row, at=at, vm_state="error", task_state=None, power_state=NOSTATE, fault=fault)
