"""What `POST /servers/{id}/action` does, and the console."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.compute import consoles, hosts, quota
from govcloud.sandbox.compute.flavors import find_flavor
from govcloud.sandbox.compute.rebuilding import rebuild
from govcloud.sandbox.compute.servers import found, start_deletion
from govcloud.sandbox.compute.states import RUNNING, SHUTDOWN, require
from govcloud.sandbox.compute.tasks import alive, begin
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


def _stop(call: Call, row: Row, _asked: Body) -> Answer:
    require(row, "stop", vm_states={"active", "error"})
    return begin(call, row, "powering-off", "server.stopped")


@transition("server.stopped")
def _stopped(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := alive(cloud, args, at):
        cloud.guests.stop(row["id"])
        cloud.change("server", row, at=at, vm_state="stopped", task_state=None, power_state=SHUTDOWN)


def _start(call: Call, row: Row, _asked: Body) -> Answer:
    require(row, "start", vm_states={"stopped"})
    return begin(call, row, "powering-on", "server.running")


@transition("server.running")
def _running(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := alive(cloud, args, at):
        cloud.change("server", row, at=at, vm_state="active", task_state=None, power_state=RUNNING)


def _reboot(call: Call, row: Row, asked: Body) -> Answer:
    """A hard one is taken while another is under way, too: nothing tells a repeated request from a second wish."""
    hard = str(asked.get("type", "")).upper() == "HARD"
    again = hard and row["task_state"] in {"rebooting", "rebooting_hard"}
    states = {"active", "stopped", "error"} if hard else {"active"}
    require(row, "reboot", vm_states=states, idle=not again)
    return begin(call, row, "rebooting_hard" if hard else "rebooting", "server.rebooted")


@transition("server.rebooted")
def _rebooted(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := alive(cloud, args, at):
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
    return begin(call, row, "resize_prep", then, flavor_id=flavor["id"])


_COUNTED = (("cores", "vcpus"), ("ram", "ram"))


@transition("server.resize_failed")
def _resize_failed(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    """The server stays what it was. It has no fault: only the record of the action says that it failed."""
    if row := alive(cloud, args, at, failed=True):
        cloud.change("server", row, at=at, task_state=None)


@transition("server.resized")
def _resized(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    server, flavor = (
        cloud.store.get("server", args["server_id"]),
        cloud.store.get("flavor", args["flavor_id"]),
    )
    if server and flavor and hosts.choose(cloud, flavor, zone=server["availability_zone"]) is None:
        _resize_failed(cloud, at, args)
        return
    row = alive(cloud, args, at)
    if row and flavor:
        old = {"flavor": row["flavor"], "vm_state": row["vm_state"], "power_state": row["power_state"]}
        cloud.guests.stop(row["id"])
        cloud.change("server", row, at=at, vm_state="resized", task_state=None, old_flavor=old, flavor=flavor)


def _confirm_resize(call: Call, row: Row, _asked: Body) -> Answer:
    """Taken once: the server says VERIFY_RESIZE for a while longer, and a second request is none of Nova's business."""
    require(row, "confirmResize", vm_states={"resized"})
    if row["old_flavor"].get("confirming"):
        raise bad_request("Instance has not been resized.")
    row["old_flavor"]["confirming"] = True
    begin(call, row, None, "server.confirmed", name="confirmResize")
    return Answer(204)


@transition("server.confirmed")
def _confirmed(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := alive(cloud, args, at):
        old = row["old_flavor"]
        columns = {"vm_state": old["vm_state"], "power_state": old["power_state"]}
        cloud.change("server", row, at=at, **columns, old_flavor=None)


def _revert_resize(call: Call, row: Row, _asked: Body) -> Answer:
    require(row, "revertResize", vm_states={"resized"})
    if row["old_flavor"].get("confirming"):
        raise bad_request("Instance has not been resized.")
    return begin(call, row, "resize_reverting", "server.reverted")


@transition("server.reverted")
def _reverted(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := alive(cloud, args, at):
        cloud.change("server", row, at=at, **row["old_flavor"], old_flavor=None, task_state=None)


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
    "rebuild": rebuild,
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
    token = consoles.admit(call.cloud, row, at=call.now)
    url = call.link(f"/sandbox/console/{row['id']}?token={token}")
    return {"remote_console": {"protocol": asked.get("protocol", "vnc"), "type": kind, "url": url}}
