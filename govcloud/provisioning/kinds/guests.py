"""What is done inside a server once it runs: the baseline of its MLPS level, its data disks, and proof of both."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import CloudImage
from govcloud.ciphers import Unreadable
from govcloud.clouds import guest_keys
from govcloud.gateways import ansible
from govcloud.gateways.openstack import errors
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Address, Guest, Power, Resource, Server, Volume, VolumeRole
from govcloud.provisioning.by_hand import AT_RESTART, NOT_OURS, OWN_FILES, SWITCHED_OFF
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds.base import (
    GIVEN_UP_FOR,
    Gone,
    Made,
    Moving,
    Ready,
    Setting,
    Sight,
    Skipped,
    StepFailed,
    Waiting,
)

AGAIN = timedelta(seconds=2)  # between two looks whether a booting guest answers
GIVEN_UP = timedelta(minutes=5)  # on a guest whose disk goes for good
ACCOUNT = "sysadmin"  # of the department's administrators in its servers
DISKS_ONLY = "data_disk.yml"
SILENT = "the guest does not answer"
NO_GUESTS = "no guests here"  # the cloud says so by its image's property


class ConfigureKind(Setting):
    """One run of the site playbook on one server. The playbook is idempotent: a run with unknown end is run again."""

    name = "configure"
    in_guest = True
    title = _("Securing the server and mounting its storage")
    playbook: ClassVar[str] = "site.yml"
    longest: ClassVar[float | None] = None  # seconds of a run, if fewer than PLAYBOOK_TIMEOUT
    disks: ClassVar[str] = "mounted"

    def create(self, context: Context) -> Made | Skipped | Moving | Waiting:
        return self.play(context, disks=self.disks)

    def play(self, context: Context, *, disks: str) -> Made | Skipped | Moving:
        """Raises StepFailed with the tasks that failed."""
        server = context.resource(context.state["server"])
        if server.server.guest == Guest.UNMANAGED:
            return Skipped(NOT_OURS)
        if self.playbook == DISKS_ONLY and not _disks(context, disks):
            return Skipped(OWN_FILES)
        image = _image(context, server)
        if image.get("govcloud_guest") == "none":
            return Skipped(NO_GUESTS)
        try:
            keys = self.keys(context, server)
        except Unreadable as error:  # until the worker is given what it was encrypted with
            raise errors.NoCredentials(f"the key of the guests: {error}", service="guest") from error
        result = self._run(context, server, image, disks, keys)
        match result.status:
            case ansible.RunStatus.SUCCESSFUL:
                outputs = _outputs(result)
                self.judge(result)
                return Made(server.external_id, outputs)
            case ansible.RunStatus.UNREACHABLE:
                # It is starting; or it is another than the one whose host key we know.
                said = "; ".join(f.message.strip() for f in result.failures) or result.detail
                return Moving(AGAIN, reason=f"the guest does not let us in: {said}")
            case ansible.RunStatus.UNKNOWN | ansible.RunStatus.CANCELLED:
                return Moving(AGAIN)
            case _:
                failed = "; ".join(f"{f.task}: {f.message}" for f in result.failures) or result.detail
                raise StepFailed(f"{result.status}: {failed}")

    def accounts(self, context: Context, server: Resource) -> list[dict[str, Any]]:  # noqa: ARG002
        """The department's way in, as it was set last."""
        keys = list(server.server.login_keys.values_list("public_key", flat=True))
        return [_account(keys)] if keys else []

    def keys(self, context: Context, server: Resource) -> list[str]:
        """Our private keys with which to try to enter it, the first first."""
        return guest_keys.ways_in(server.server.guest_key, at=context.at)

    def variables(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """What the playbook is told besides what all of them are."""
        return {}

    def judge(self, result: ansible.RunResult) -> None:
        """Whether a successful run is good enough."""

    def data_disks(self, context: Context, state: str) -> list[dict[str, Any]]:
        """What the playbook is told of the step's disks."""
        return _disks(context, state)

    def _run(
        self, context: Context, server: Resource, image: Mapping[str, str], disks: str, keys: list[str]
    ) -> ansible.RunResult:
        step = context.step
        timeout = self.longest or settings.PLAYBOOK_TIMEOUT
        return ansible.run(
            playbook=self.playbook,
            playbooks=settings.PLAYBOOK_DIR,
            hosts=[_host(context, server, image, keys=keys, disks=self.data_disks(context, disks))],
            variables={
                "mlps_level": context.operation.system.mlps_level,
                "accounts_users": self.accounts(context, server),
                "guest_block_devices": image.get("govcloud_guest") != "no-block-devices",
                "host_session_owner": str(step.uuid),
                "host_session_ttl_seconds": int(timeout) + 60,
                **self.variables(context),
            },
            ident=str(step.uuid),
            run_dir=settings.RUN_DIR,
            timeout=timeout,
            heartbeat=context.keep,
            should_cancel=lambda: context.lost,
        )

    def record(self, context: Context, outputs: dict[str, Any]) -> None:
        keys = "\n".join(outputs["host_keys"])
        Server.objects.filter(resource=context.resource(context.state["server"])).update(host_keys=keys)


class ConfirmKind(ConfigureKind):
    """The same run again, which must find nothing to change."""

    name = "confirm"
    title = _("Checking the server")

    def judge(self, result: ansible.RunResult) -> None:
        if result.changed:
            raise StepFailed(f"the second run changed {result.changed} things: the baseline does not hold")

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        server = context.resource(context.state["server"])
        Server.objects.filter(resource=server).update(configured_at=context.at)


class GrowKind(ConfigureKind):
    """The file systems of the step's volumes, grown to the size their disks have now.

    A system volume's is grown by the guest itself: cloud images do it at every start (growpart and resizefs of cloud-init).
    Those of a server that is stopped are grown when it is started, which is not held up if they cannot be (``may_be_skipped``).

    The cloud says that a volume has its new size before its guest sees that (Cinder tells Nova afterwards, and Nova the
    hypervisor): a disk that is smaller still is come back to.
    """

    name = "grow"
    title = _("Giving the server its new space")
    playbook = DISKS_ONLY

    def data_disks(self, context: Context, state: str) -> list[dict[str, Any]]:
        volumes = context.project.volumes
        disks = super().data_disks(context, state)
        return [
            {**disk, "at_least_bytes": volumes.get_volume(disk["volume_id"]).size_gib << 30} for disk in disks
        ]

    def create(self, context: Context) -> Made | Skipped | Moving | Waiting:
        server = context.resource(context.state["server"]).server
        if server.guest == Guest.MANAGED and _volumes(context).filter(role=VolumeRole.SYSTEM).exists():
            return Skipped(AT_RESTART)
        if server.guest == Guest.MANAGED and server.power == Power.STOPPED:
            return Skipped(SWITCHED_OFF)
        if not context.state.get("may_be_skipped"):
            return super().create(context)
        try:
            made = super().create(context)
        except (StepFailed, errors.Misconfigured) as failure:
            return Skipped(str(failure))
        return Skipped(SILENT) if isinstance(made, Moving) and given_up(context) else made


class UnmountKind(ConfigureKind):
    """Let go of the data disks that the step names, before they are detached.

    Where the volume goes for good (``may_be_skipped``) a guest that has not answered for a while is left alone.
    """

    name = "unmount"
    title = _("Preparing the server for the change")
    playbook = DISKS_ONLY
    disks = "unmounted"

    def create(self, context: Context) -> Made | Skipped | Moving | Waiting:
        if context.others_at_work(context.state["volumes"]):
            return Waiting("a backup of it has to end first")
        made = super().create(context)
        if isinstance(made, Moving) and context.state.get("may_be_skipped") and given_up(context):
            return Skipped(SILENT)
        return made


class _Reversible(ConfigureKind):
    """What a direct action does in a guest; called off, it is done the other way round."""

    playbook = DISKS_ONLY
    taken_back: ClassVar[str]

    def find(self, context: Context) -> str | None:
        """A run that was begun may have done its work, so taking it back plays the opposite whatever came of it."""
        absent = context.step.desired == "absent"
        return context.resource(context.state["server"]).external_id if absent else None

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        return Gone() if context.step.outputs.get("taken_back") else Ready()

    def remove(self, context: Context, external_id: str) -> None:  # noqa: ARG002
        """A guest that does not answer for a while is left alone: it is off, or dead, and has let go by that.

        So is one in which it cannot be done: what was called off has to come to an end. The reason is kept.
        """
        trouble = self._trouble_taking_back(context)
        if not trouble:
            context.remember({"taken_back": True})
        elif given_up(context):
            context.remember({"taken_back": True, GIVEN_UP_FOR: trouble})

    def _trouble_taking_back(self, context: Context) -> str:
        try:
            return SILENT if isinstance(self.play(context, disks=self.taken_back), Moving) else ""
        except (StepFailed, errors.Misconfigured) as failure:
            return str(failure)


class MountKind(_Reversible):
    """The file system of a volume that was attached; made if the volume is blank."""

    name = "mount"
    title = _("Making the storage available in the server")
    removal_title = _("Preparing the server for the change")
    disks = "mounted"
    taken_back = "unmounted"


class LetGoKind(_Reversible):
    """The server lets go of a volume before it is detached: whatever of it is not written yet is written now."""

    name = "let_go"
    title = _("Preparing the server for the change")
    removal_title = _("Making the storage available in the server")
    disks = "unmounted"
    taken_back = "mounted"

    def create(self, context: Context) -> Made | Skipped | Moving | Waiting:
        if context.others_at_work(context.state["volumes"]):
            return Waiting("a backup of it has to end first")
        return super().create(context)


class LoginKeysKind(_Reversible):
    """The department's account with exactly these keys; without any it goes.

    Called off, those who are on record get in again and nobody else: a run that was begun may have let others in.
    """

    name = "login_keys"
    title = _("Setting who can log in")
    playbook = "accounts.yml"
    taken_back = "mounted"  # it names no disks

    def accounts(self, context: Context, server: Resource) -> list[dict[str, Any]]:
        if context.step.desired == "absent":
            return [_account(list(server.server.login_keys.values_list("public_key", flat=True)))]
        return [_account(list(context.state["keys"].values()))]

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        resource = context.resource(context.state["server"])
        inventory.replace_login_keys(
            server=resource.server,
            keys=context.state["keys"],
            actor=ENGINE,
            thread=resource.thread,
            at=context.at,
        )


def given_up(context: Context) -> bool:
    """Whether the guest has been tried for so long that it is off, or dead."""
    return context.at - (context.step.started_at or context.at) > GIVEN_UP


def _account(keys: list[str]) -> dict[str, Any]:
    state = "present" if keys else "absent"
    return {"name": ACCOUNT, "keys": keys, "sudo": True, "state": state}


def _image(context: Context, server: Resource) -> Mapping[str, str]:
    """The properties of the server's image: what its guest can do, and as whom it is entered.

    A cloud withdraws an image (hides, deactivates, deletes it) long before the last of its servers goes. Then its properties
    are those that the system volume has kept of it. Raises ``Misconfigured`` where it has none.
    """
    named = CloudImage.objects.filter(cloud=context.cloud_row, image=server.server.image).first()
    image = context.cloud.images.find_image(named.cloud_name) if named is not None else None
    if image is not None:
        return image.properties
    own = (
        Volume.objects.filter(server=server.server, role=VolumeRole.SYSTEM).select_related("resource").first()
    )
    kept = (
        context.project.volumes.get_volume(own.resource.external_id).image_properties
        if own is not None
        else {}
    )
    if not kept:
        name = named.cloud_name if named is not None else server.server.image.code
        raise errors.Misconfigured(f"the cloud has no active image {name!r}", service="image")
    return kept


def _host(
    context: Context,
    server: Resource,
    image: Mapping[str, str],
    *,
    keys: list[str],
    disks: list[dict[str, Any]],
) -> ansible.Host:
    address = Address.objects.select_related("block").get(unit=server.unit)
    network = Resource.objects.get(unit=address.block.unit)
    proxy = context.cloud_row.ssh_proxy_command.replace("{network_id}", network.external_id)
    user = image.get("os_admin_user", "root")
    return ansible.Host(
        name=server.name,
        address=address.address,
        user=user,
        private_key=keys[0],
        other_keys=tuple(keys[1:]),
        proxy_command=proxy or None,
        become=user != "root",
        host_keys=tuple(server.server.host_keys.splitlines()),
        variables={"data_disks": disks},
    )


def _volumes(context: Context) -> QuerySet[Volume]:
    """Those that the step names."""
    return Volume.objects.filter(resource__unit__in=context.state["volumes"])


def _disks(context: Context, state: str) -> list[dict[str, Any]]:
    """Those with a file system that we made: what is on a volume that was taken over is its department's.

    A volume that is being released is let go of; what is done with its server at the same time neither mounts nor misses it.
    """
    labelled = _volumes(context).exclude(label="").select_related("resource").order_by("pk")
    if state == ConfigureKind.disks:
        labelled = labelled.exclude(resource__status__in=(Status.RELEASING, Status.RELEASED))
    return [
        {"label": v.label, "mount_point": v.mount_point, "volume_id": v.resource.external_id, "state": state}
        for v in labelled
    ]


def _outputs(result: ansible.RunResult) -> dict[str, Any]:
    return {
        "recaps": {host: asdict(recap) for host, recap in result.recaps.items()},
        "changed": result.changed,
        "seconds": round(result.duration_seconds, 1),
        "guest": next(iter(result.facts.get("guests", {}).values()), {}),
        "host_keys": [key for keys in result.host_keys.values() for key in keys],
    }
