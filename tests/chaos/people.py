"""People: those who withdraw, those who retry or abandon what waits for them, and those whose hands are in the cloud."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from govcloud.audit.services import SystemActor
from govcloud.errors import DomainError
from govcloud.inventory.models import Resource
from govcloud.orders import cancellation
from govcloud.provisioning import services
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import Operation
from govcloud.sandbox.cloud import Cloud
from tests.chaos.agenda import Agenda

ADMINISTRATOR = SystemActor("administrator")
MOVING = {
    ("volume", "creating"): "volume.fail",
    ("volume", "downloading"): "volume.fail",
    ("volume", "deleting"): "volume.gone",
    ("volume", "extending"): "volume.extended",
    ("volume", "attaching"): "volume.attach_failed",
    ("volume", "detaching"): "volume.detached",
    ("volume", "retyping"): "volume.retyped",
    ("backup", "creating"): "backup.ready",
    ("backup", "deleting"): "backup.gone",
    ("snapshot", "creating"): "snapshot.ready",
    ("snapshot", "deleting"): "snapshot.gone",
}

STUCK = {("volume", "restoring-backup"): "error_restoring", ("backup", "restoring"): "available"}
"""What has to be set by hand, as nothing of it would end by itself."""


class People:
    def __init__(self, cloud: Cloud, agenda: Agenda, random: Random, note: Callable[[str], None]) -> None:
        self._cloud, self._agenda, self._random, self._note = cloud, agenda, random, note
        self.taken: set[str] = set()  # ids of what hands removed or relabelled
        self.parked: set[int] = set()
        self.asked: dict[int, int] = {}  # how often somebody has retried an operation

    # -- the administrator

    def withdraw(self, operation_pk: int) -> None:
        """Whatever it is doing now; too late is no mistake."""
        self._decide(Operation.objects.get(pk=operation_pk), abandon=True)

    def look_at_parked(self, *, patient: bool) -> None:
        """``patient`` people retry most things; the others give up after the second time."""
        for operation in Operation.objects.filter(status=OperationStatus.PARKED).order_by("pk"):
            self.parked.add(operation.pk)
            asked = self.asked[operation.pk] = self.asked.get(operation.pk, 0) + 1
            self._decide(operation, abandon=self._random.random() < 0.3 if patient else asked > 2)

    def _decide(self, operation: Operation, *, abandon: bool) -> None:
        act = {"operation": operation, "actor": ADMINISTRATOR, "at": self._agenda.now}
        try:
            if abandon:
                cancellation.abandon(**act, reason="withdrawn")
            else:
                services.retry(**act)
        except services.CannotBeUndone:
            if operation.status == OperationStatus.PARKED:
                services.retry(**act)
        except DomainError:
            return
        self._note(f"people {'abandon' if abandon else 'retry'} {operation.reason}")

    # -- the department's programs

    def write_into(self, container: Resource) -> None:
        """Three objects."""
        (row,) = self._cloud.store.find("container", name=container.external_id)
        for number in range(3):
            columns = {
                "container_id": row["id"],
                "name": f"report-{number}",
                "size": 1,
                "etag": "",
                "type": "",
            }
            self._cloud.new("object", columns, at=self._agenda.now)
        self._cloud.amend("container", row, objects=3, bytes_used=3)

    # -- hands in the cloud

    def meddle(self) -> None:
        """Delete something, break it, or take its label away."""
        kind = self._random.choice(("server", "volume", "volume", "port"))
        rows = [
            row
            for row in self._cloud.store.find(kind)
            if not row.get("deleted") and row["id"] not in self.taken
        ]
        if not rows:
            return
        row = self._random.choice(rows)
        self.taken.add(row["id"])
        deed = self._random.choice((self._delete, self._relabel, self._break))
        self._note(f"hands {deed.__name__.strip('_')} {kind} {row['id']}")
        deed(kind, row)

    def _delete(self, kind: str, row: dict[str, Any]) -> None:
        if kind == "server":
            self._schedule("server.gone", server_id=row["id"], action_id="")
        else:
            for attachment in self._cloud.store.find("attachment", volume_id=row["id"]):
                self._cloud.store.delete("attachment", attachment["id"])
            self._cloud.store.delete(kind, row["id"])

    def _relabel(self, kind: str, row: dict[str, Any]) -> None:
        columns: dict[str, dict[str, Any]] = {
            "server": {"tags": ["mine"]}, "volume": {"metadata": {}}, "port": {"name": "mine"},
        }  # fmt: skip
        self._cloud.change(kind, row, at=self._agenda.now, **columns[kind])

    def _break(self, kind: str, row: dict[str, Any]) -> None:
        columns: dict[str, dict[str, Any]] = {
            "server": {"vm_state": "error", "task_state": None}, "volume": {"status": "error"}, "port": {"status": "DOWN"},
        }  # fmt: skip
        self._cloud.change(kind, row, at=self._agenda.now, **columns[kind])

    # -- its operators

    def repair(self) -> None:
        """End what the cloud would leave half done for ever, the way an operator resets states by hand."""
        due = self._cloud.store.find("due")
        coming = {value for row in due for value in row["args"].values()}
        for kind in ("server", "volume", "backup", "snapshot"):
            for row in self._cloud.store.find(kind):
                if row.get("deleted") or row["id"] in coming:
                    continue
                if (kind, row.get("status")) in STUCK:
                    self._cloud.change(kind, row, at=self._agenda.now, status=STUCK[kind, row["status"]])
                else:
                    self._unstick(kind, row)

    def _unstick(self, kind: str, row: dict[str, Any]) -> None:
        if kind == "server":
            self._unstick_server(row)
            return
        name = MOVING.get((kind, row["status"]))
        attachments = self._cloud.store.find("attachment", volume_id=row.get("volume_id", row["id"]))
        if (kind, row["status"], attachments) == ("volume", "in-use", []):
            # its server was deleted while it was retyped, which gives it back the state that it had before
            self._cloud.change("volume", row, at=self._agenda.now, status="available")
            return
        usual = "in-use" if attachments else "available"
        about = {f"{kind}_id": row["id"]}
        match name:
            case None:
                return
            case "volume.attach_failed" | "volume.detached":
                for attachment in attachments:
                    self._schedule(name, attachment_id=attachment["id"], action_id="")
            case "volume.extended":
                self._schedule(name, **about, size=row["size"], status="error_extending")
            case "volume.retyped":
                kept = {key: row[key] for key in ("volume_type", "volume_type_id")}
                self._schedule(name, **about, columns=kept, status=usual)
            case "backup.ready":
                self._schedule(name, **about, volume_status=usual, fail_reason="reset by an operator")
            case "snapshot.ready":
                self._schedule(name, **about, status="error")
            case _:
                self._schedule(name, **about)

    def _unstick_server(self, row: dict[str, Any]) -> None:
        if row["task_state"] == "deleting":
            self._schedule("server.gone", server_id=row["id"], action_id="")
        elif row["vm_state"] == "building":
            self._schedule("server.fail", server_id=row["id"], action_id="", message="reset by an operator")
        else:
            if row["task_state"]:  # as ``nova reset-state`` does
                self._cloud.change("server", row, at=self._agenda.now, task_state=None)
            elif row["vm_state"] == "resized" and row["old_flavor"].get("confirming"):
                self._schedule("server.confirmed", server_id=row["id"], action_id="")
            self._mend_rebuilt(row)

    def _mend_rebuilt(self, row: dict[str, Any]) -> None:
        """A server whose system was not written to the end: its volume is given back to it. One in error the engine leaves usable."""
        if row["vm_state"] == "error":
            return
        at, boots = self._agenda.now, {"server_id": row["id"], "device": "/dev/vda", "status": "reserved"}
        for attachment in self._cloud.store.find("attachment", **boots):
            volume = self._cloud.store.get("volume", attachment["volume_id"])
            if volume is None or not row["launched_at"] or {row["id"], volume["id"]} & self.taken:
                continue
            self._cloud.change("attachment", attachment, at=at, status="attached")
            self._cloud.change("volume", volume, at=at, status="in-use")

    def _schedule(self, name: str, **args: Any) -> None:
        self._cloud.timeline.schedule(name, self._agenda.now, seconds=1, **args)


def soon(random: Random, longest: float) -> timedelta:
    return timedelta(seconds=random.uniform(0, longest))
