"""Object containers: made, given another quota, emptied, taken down.

A container's id is its name. It carries our unit in its metadata: one of the same name that does not is somebody else's
and is neither adopted nor touched.
"""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import CloudStorageClass, StorageClass
from govcloud.gateways.openstack import errors, models
from govcloud.inventory import containers
from govcloud.inventory.containers import GIB
from govcloud.inventory.models import Resource
from govcloud.provisioning import settlement
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds.base import (
    Gone,
    Kind,
    Landing,
    Made,
    Moving,
    Ready,
    Sight,
    StepFailed,
    Waiting,
)

UNIT = "govcloud-unit"  # the metadata entry that says whose it is
SLICE = 1_000  # objects deleted with one request
AT_ONCE = timedelta(milliseconds=10)
FRUITLESS = 50  # visits in a row at which nothing that is listed could be deleted


class ContainerKind(Kind):
    name = "container"
    title = _("Preparing object storage")
    removal_title = _("Deleting the object storage")
    landing = Landing.LOCKED  # by its name, unique within the project

    def find(self, context: Context) -> str | None:
        found = self._standing(context)
        return found.name if found is not None and self._is_ours(context, found) else None

    def create(self, context: Context) -> Made:
        """Raises StepFailed when somebody else's is in its place: a PUT would change that one."""
        found, name, scale = self._standing(context), context.state["cloud_name"], _scale(context)
        if found is not None and not self._is_ours(context, found):
            raise StepFailed(f"the project has a container {name!r} that is not ours: move it out of the way")
        if found is not None:
            return Made(name)
        context.project.objects.create_container(
            name,
            quota_bytes=_quota_bytes(scale, context.state["quota_gb"]),
            policy=scale.cloud_name,
            metadata={UNIT: str(context.step.unit)},
        )
        return Made(name)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            found = context.project.objects.get_container(external_id)
        except errors.NotFound:
            return Gone()
        return Ready({"quota_bytes": found.quota_bytes, "policy": found.policy})

    def remove(self, context: Context, external_id: str) -> None:
        context.project.objects.delete_container(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        containers.record(
            common=context.recorded(),
            storage_class=StorageClass.objects.get(code=context.state["storage_class"]),
            quota_gb=context.state["quota_gb"],
        )
        settlement.built(unit=context.step.unit, at=context.at)

    def forget(self, context: Context) -> None:
        settlement.wiped(context=context)
        settlement.absent(context=context)

    def _standing(self, context: Context) -> models.Container | None:
        try:
            return context.project.objects.get_container(context.state["cloud_name"])
        except errors.NotFound:
            return None

    def _is_ours(self, context: Context, found: models.Container) -> bool:
        return found.metadata.get(UNIT) == str(context.step.unit)


class ContainerQuotaKind(Kind):
    """Another quota; called off, it has the one before. The cloud accepts less than is held, so we look first."""

    name = "container_quota"
    title = _("Setting the size of the object storage")
    landing = Landing.LOCKED

    def find(self, context: Context) -> str | None:
        seen = self._seen(context)
        return seen.name if seen.quota_bytes == self._bytes(context, "quota_gb") else None

    def create(self, context: Context) -> Made | Waiting:
        """Raises StepFailed for a quota below what it holds by now, and under a legal hold placed since it was ordered."""
        if containers.frozen(self._resource(context).container):
            raise StepFailed("it is under a legal hold: its size stays until that is lifted")
        if context.may_still_land("container", self.name):
            return Waiting("an earlier request, which sets another quota, may still land")
        seen, wanted = self._seen(context), self._bytes(context, "quota_gb")
        if seen.bytes_used > wanted:
            raise StepFailed(
                f"it holds {seen.bytes_used} bytes, more than the {wanted} it shall be limited to"
            )
        context.project.objects.set_quota(seen.name, quota_bytes=wanted)
        return Made(seen.name)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            quota = context.project.objects.get_container(external_id).quota_bytes
        except errors.NotFound:
            return Gone()
        if context.step.desired == "absent":
            return Gone() if quota == self._bytes(context, "from_gb") else Ready()
        return Ready({"quota_bytes": quota}) if quota == self._bytes(context, "quota_gb") else Moving()

    def remove(self, context: Context, external_id: str) -> None:
        context.project.objects.set_quota(external_id, quota_bytes=self._bytes(context, "from_gb"))

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        settlement.requoted(
            context=context, resource=self._resource(context), quota_gb=context.state["quota_gb"]
        )

    def forget(self, context: Context) -> None:
        settlement.unchanged(context=context)

    def _resource(self, context: Context) -> Resource:
        return context.resource(context.target)

    def _seen(self, context: Context) -> models.Container:
        return context.project.objects.get_container(self._resource(context).external_id)

    def _bytes(self, context: Context, size: str) -> int:
        return _quota_bytes(_scale(context), context.state[size])


class EmptinessKind(Kind):
    """That nothing is in it, before anything of it is taken away. Deletes nothing."""

    name = "container_emptiness"
    title = _("Checking that the object storage is empty")
    landing = Landing.REPEATABLE

    def find(self, context: Context) -> str | None:  # noqa: ARG002
        return None

    def create(self, context: Context) -> Made | Moving:
        name = context.resource(context.target).external_id
        try:
            held = context.project.objects.get_container(name).objects
        except errors.NotFound:
            return Made(name, {})  # gone altogether
        if held:
            raise StepFailed(
                f"it still holds {held} objects, and its release was not ordered with its contents"
            )
        return Made(name, {})

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        return Gone() if context.step.desired == "absent" else Ready()

    def remove(self, context: Context, external_id: str) -> None:
        """Nothing was made that would have to go."""


class ContentsKind(EmptinessKind):
    """Everything in a container deleted, a slice with each visit: a worker that dies leaves the rest to the next."""

    name = "container_contents"
    title = _("Deleting what the object storage holds")

    def create(self, context: Context) -> Made | Moving:
        name = context.resource(context.target).external_id
        store = context.project.objects
        gone = context.step.outputs.get("deleted", 0)
        try:
            names = store.object_names(name, most=SLICE)
        except errors.NotFound:
            names = []  # gone altogether
        if not names:
            return Made(name, {"deleted": gone})
        deleted = store.delete_objects(name, names)
        fruitless = 0 if deleted else context.step.outputs.get("fruitless", 0) + 1
        context.remember({"deleted": gone + deleted, "fruitless": fruitless})
        if fruitless > FRUITLESS:
            raise StepFailed(f"{len(names)} objects are listed that cannot be deleted, such as {names[0]!r}")
        return (
            Moving(AT_ONCE, progressed=True) if deleted else Moving()
        )  # a list may lag behind what was deleted


def _scale(context: Context) -> CloudStorageClass:
    return CloudStorageClass.objects.get(
        cloud=context.cloud_row, storage_class__code=context.state["storage_class"]
    )


def _quota_bytes(scale: CloudStorageClass, size_gb: int) -> int:
    return scale.built_gb(size_gb) * GIB
