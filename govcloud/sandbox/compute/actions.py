"""What `POST /servers/{id}/action` does, and the console."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.compute import history, quota
from govcloud.sandbox.compute.flavors import find_flavor
from govcloud.sandbox.compute.servers import found, start_deletion
from govcloud.sandbox.compute.states import RUNNING, SHUTDOWN, require
from govcloud.sandbox.compute.views import detail
from govcloud.sandbox.errors import ApiError, bad_request
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.web import Answer, Body, Call, Routes

routes = Routes("compute", "/compute/v2.1")
Action = Callable[[Call, Row, Body], Answer]


@routes("POST", "/servers/<id>/action", status=202)
def act(call: Call) -> Answer:
    """Carry out the one action named in the body."""
    row = found(call, call.args["id"])
    name, asked = next(iter(call.json.items()), ("", None))
    action = _ACTIONS.get(name)
    if action is None:
        raise bad_request(f"There is no such action: {name}")
    return action(call, row, asked if isinstance(asked, dict) else {})


def _begin(call: Call, row: Row, task: str, then: str, **args: Any) -> Answer:
    """Enter a task and leave it with transition `then`."""
    call.cloud.change("server", row, at=call.now, task_state=task)
    action_id = history.record(call, row, _NAMES.get(task, task))
    if call.outcome != "stuck":
        seconds = call.cloud.timing.action_seconds
        call.cloud.timeline.schedule(
            then, call.now, seconds=seconds, server_id=row["id"], action_id=action_id, **args
        )
    return Answer(202)


def _alive(cloud: Cloud, args: dict[str, Any], at: datetime, *, failed: bool = False) -> Row | None:
    """The server at the end of its task, noted in its history; None when it is being deleted instead."""
    row = cloud.store.get("server", args["server_id"])
    if row is None or row["deleted"] or row["task_state"] == "deleting":
        return None
    history.finish(cloud, args["action_id"], at=at, failed=failed)
    return row


_NAMES = {
    "powering-off": "stop",
    "powering-on": "start",
    "rebooting": "reboot",
    "rebooting_hard": "reboot",
    "resize_prep": "resize",
    "resize_reverting": "revertResize",
    "rebuilding": "rebuild",
}


def _stop(call: Call, row: Row, _asked: Body) -> Answer:
    require(row, "stop", vm_states={"active", "error"})
    return _begin(call, row, "powering-off", "server.stopped")


@transition("server.stopped")
def _stopped(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := _alive(cloud, args, at):
        cloud.guests.stop(row["id"])
        cloud.change("server", row, at=at, vm_state="stopped", task_state=None, power_state=SHUTDOWN)


def _start(call: Call, row: Row, _asked: Body) -> Answer:
    require(row, "start", vm_states={"stopped"})
    return _begin(call, row, "powering-on", "server.running")


@transition("server.running")
def _running(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := _alive(cloud, args, at):
        cloud.change("server", row, at=at, vm_state="active", task_state=None, power_state=RUNNING)


def _reboot(call: Call, row: Row, asked: Body) -> Answer:
    hard = str(asked.get("type", "")).upper() == "HARD"
    require(row, "reboot", vm_states={"active", "stopped", "error"} if hard else {"active"})
    return _begin(call, row, "rebooting_hard" if hard else "rebooting", "server.rebooted")


@transition("server.rebooted")
def _rebooted(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := _alive(cloud, args, at):
        cloud.guests.stop(row["id"])
        cloud.change("server", row, at=at, vm_state="active", task_state=None, power_state=RUNNING)


def _resize(call: Call, row: Row, asked: Body) -> Answer:
    require(row, "resize", vm_states={"active", "stopped"})
    flavor = find_flavor(call, str(asked.get("flavorRef")))
    if flavor is None:
        raise bad_request(f"Flavor {asked.get('flavorRef')} could not be found.")
    if flavor["id"] == row["flavor"]["id"]:
        raise bad_request("When resizing, instances must change flavor!")
    quota.check(call.cloud, row["project_id"], {k: flavor[f] - row["flavor"][f] for k, f in _COUNTED})
    then = "server.resize_failed" if call.outcome == "build_error" else "server.resized"
    return _begin(call, row, "resize_prep", then, flavor_id=flavor["id"], message=call.outcome_message)


_COUNTED = (("cores", "vcpus"), ("ram", "ram"))


@transition("server.resize_failed")
def _resize_failed(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    """No host has room: the server stays what it was, with a fault to read."""
    if row := _alive(cloud, args, at, failed=True):
        message = args["message"] or "No valid host was found."
        fault = {"code": 400, "created": at.isoformat(timespec="seconds"), "message": message}
        cloud.change("server", row, at=at, task_state=None, fault=fault)


@transition("server.resized")
def _resized(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row, flavor = _alive(cloud, args, at), cloud.store.get("flavor", args["flavor_id"])
    if row and flavor:
        old = {"flavor": row["flavor"], "vm_state": row["vm_state"], "power_state": row["power_state"]}
        cloud.guests.stop(row["id"])
        cloud.change("server", row, at=at, vm_state="resized", task_state=None, old_flavor=old, flavor=flavor)


def _confirm_resize(call: Call, row: Row, _asked: Body) -> Answer:
    require(row, "confirmResize", vm_states={"resized"})
    old = row["old_flavor"]
    columns = {"vm_state": old["vm_state"], "power_state": old["power_state"], "old_flavor": None}
    call.cloud.change("server", row, at=call.now, **columns)
    history.finish(call.cloud, history.record(call, row, "confirmResize"), at=call.now)
    return Answer(204)


def _revert_resize(call: Call, row: Row, _asked: Body) -> Answer:
    require(row, "revertResize", vm_states={"resized"})
    return _begin(call, row, "resize_reverting", "server.reverted")


@transition("server.reverted")
def _reverted(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := _alive(cloud, args, at):
        cloud.change("server", row, at=at, **row["old_flavor"], old_flavor=None, task_state=None)


def _rebuild(call: Call, row: Row, asked: Body) -> Answer:
    require(row, "rebuild", vm_states={"active", "stopped", "error"})
    image_id = str(asked.get("imageRef", ""))
    if call.cloud.store.get("image", image_id) is None:
        raise bad_request("Cannot find image for rebuild")
    columns = {key: asked[key] for key in ("name", "metadata", "description") if asked.get(key)}
    call.cloud.change("server", row, at=call.now, **columns)
    if row["image_id"]:
        call.cloud.change("server", row, at=call.now, image_id=image_id)
    _begin(call, row, "rebuilding", "server.rebuilt")
    return Answer(202, {"server": detail(call, row) | {"adminPass": row["id"].replace("-", "")[:12]}})


@transition("server.rebuilt")
def _rebuilt(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := _alive(cloud, args, at):
        cloud.guests.stop(row["id"])
        for attachment in cloud.store.find("attachment", server_id=row["id"]):
            if attachment["device"] == "/dev/vda":
                cloud.guests.disks.remove(("volume", attachment["volume_id"]))
        cloud.guests.disks.remove(("server", row["id"]))
        cloud.change(
            "server", row, at=at, vm_state="active", task_state=None, power_state=RUNNING, fault=None
        )


def _lock(call: Call, row: Row, asked: Body) -> Answer:
    call.cloud.change("server", row, at=call.now, locked=True, locked_reason=asked.get("locked_reason"))
    return Answer(202)


def _unlock(call: Call, row: Row, _asked: Body) -> Answer:
    call.cloud.change("server", row, at=call.now, locked=False, locked_reason=None)
    return Answer(202)


def _reset_state(call: Call, row: Row, asked: Body) -> Answer:
    call.require_admin("os_compute_api:os-admin-actions:reset_state")
    state = asked.get("state")
    if state not in {"active", "error"}:
        raise bad_request(f"Invalid input for field/attribute state. Value: {state}.")
    call.cloud.change("server", row, at=call.now, vm_state=state, task_state=None)
    return Answer(202)


def _force_delete(call: Call, row: Row, _asked: Body) -> Answer:
    start_deletion(call, row)
    return Answer(202)


def _console_output(call: Call, row: Row, asked: Body) -> Answer:
    if row["host"] is None:
        raise ApiError(409, f"Instance {row['id']} is not ready")
    lines = call.cloud.guests.console(row).splitlines()
    if (length := asked.get("length")) is not None and int(length) >= 0:
        lines = lines[-int(length) :] if int(length) else []
    return Answer(200, {"output": "\n".join(lines)})


_ACTIONS: dict[str, Action] = {
    "os-start": _start,
    "os-stop": _stop,
    "reboot": _reboot,
    "resize": _resize,
    "confirmResize": _confirm_resize,
    "revertResize": _revert_resize,
    "rebuild": _rebuild,
    "lock": _lock,
    "unlock": _unlock,
    "os-resetState": _reset_state,
    "forceDelete": _force_delete,
    "os-getConsoleOutput": _console_output,
}


@routes("POST", "/servers/<id>/remote-consoles")
def open_console(call: Call) -> Body:
    """A link to a console, good for a while."""
    row, asked = found(call, call.args["id"]), call.part("remote_console")
    require(row, "get_vnc_console", vm_states={"active", "error", "resized"}, idle=False)
    kind = asked.get("type", "novnc")
    url = call.link(f"/sandbox/console/{row['id']}?token={call.request_id[4:]}")
    return {"remote_console": {"protocol": asked.get("protocol", "vnc"), "type": kind, "url": url}}
