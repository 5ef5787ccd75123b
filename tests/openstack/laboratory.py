"""A project of its own on whatever cloud is named, with what the tests need in it, and nothing left behind."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar

from govcloud.gateways.openstack import Cloud, connect, errors, models

IMAGE = "debian-12"
FLAVOR = "g.2c4g"
LARGER_FLAVOR = "g.4c8g"
VOLUME_TYPE = "ssd"
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 180


class Phased(Protocol):
    @property
    def phase(self) -> models.Phase: ...


Thing = TypeVar("Thing", bound=Phased)
Seen = TypeVar("Seen")


def eventually(
    look: Callable[[], Seen], until: Callable[[Seen], bool], *, seconds: float = PATIENCE_SECONDS
) -> Seen:
    """What ``look`` finds once it satisfies ``until``; the test fails with the last sight if it never does."""
    deadline = time.monotonic() + seconds
    while not until(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(LOOK_SECONDS)
    return seen


def settled(look: Callable[[], Thing]) -> Thing:
    """The thing once it has stopped moving, in whichever way."""
    return eventually(look, lambda thing: thing.phase is not models.Phase.MOVING)


def gone(look: Callable[[], object]) -> None:
    """Wait until the thing is not found any more."""

    def absent() -> bool:
        try:
            look()
        except errors.NotFound:
            return True
        return False

    eventually(absent, bool)


def hand_over(volume_id: str, *, by: Cloud, to: Cloud) -> None:
    """A volume with its snapshots, from one project to another: ``openstack volume transfer request``."""
    path = "/os-volume-transfer"
    asked = {"transfer": {"volume_id": volume_id, "name": "contract"}}
    offer = by._transport.send("block-storage", "POST", path, json=asked).body["transfer"]
    accepted = {"accept": {"auth_key": offer["auth_key"]}}
    to._transport.send("block-storage", "POST", f"{path}/{offer['id']}/accept", json=accepted)


@dataclass
class Laboratory:
    """A project on the cloud as its operators see it (``operator``) and as its member sees it (``cloud``)."""

    operator: Cloud
    name: str = field(default_factory=lambda: f"contract-{uuid.uuid4().hex[:8]}")

    @cached_property
    def project(self) -> models.Project:
        return self.operator.identity.create_project(name=self.name, description="a test's")

    @cached_property
    def member_role(self) -> str:
        role = self.operator.identity.find_role(name="member")
        assert role is not None
        return role

    @cached_property
    def cloud(self) -> Cloud:
        self.operator.identity.grant_role(
            project_id=self.project.id, role_id=self.member_role, user_id=self.operator.user_id
        )
        return connect(cloud=self.operator.name, project_id=self.project.id)

    @cached_property
    def image(self) -> models.Image:
        image = self.cloud.images.find_image(IMAGE)
        assert image is not None, f"the cloud has no image {IMAGE!r}"
        return image

    @cached_property
    def flavors(self) -> dict[str, models.Flavor]:
        return {flavor.name: flavor for flavor in self.cloud.compute.flavors()}

    @cached_property
    def network(self) -> models.Network:
        return self.cloud.network.create_network(name=self.name)

    @cached_property
    def subnet(self) -> models.Subnet:
        return self.cloud.network.create_subnet(
            network_id=self.network.id,
            name=self.name,
            cidr="10.91.0.0/24",
            pool=("10.91.0.200", "10.91.0.250"),
        )

    @cached_property
    def _free_addresses(self) -> Iterator[str]:
        return (f"10.91.0.{host}" for host in range(10, 200))

    def address(self) -> str:
        """An address of the subnet that no other test uses."""
        return next(self._free_addresses)

    def unique(self, what: str) -> str:
        return f"{self.name}-{what}-{uuid.uuid4().hex[:6]}"

    def port(self, fixed_ip: str | None = None) -> models.Port:
        return self.cloud.network.create_port(
            name=self.unique("port"),
            network_id=self.subnet.network_id,
            subnet_id=self.subnet.id,
            fixed_ip=fixed_ip or self.address(),
        )

    def volume(self, *, size_gib: int = 1, image_id: str | None = None, **metadata: str) -> models.Volume:
        """A volume that is ready."""
        made = self.cloud.volumes.create_volume(
            name=self.unique("volume"),
            size_gib=size_gib,
            volume_type=VOLUME_TYPE,
            metadata=metadata,
            image_id=image_id,
        )
        volume = settled(lambda: self.cloud.volumes.get_volume(made.id))
        assert volume.status == "available", volume
        return volume

    def snapshot(self, volume: models.Volume) -> models.Snapshot:
        """A snapshot that is ready."""
        made = self.cloud.snapshots.create_snapshot(
            volume_id=volume.id, name=self.unique("snapshot"), metadata={}
        )
        snapshot = settled(lambda: self.cloud.snapshots.get_snapshot(made.id))
        assert snapshot.status == "available", snapshot
        return snapshot

    def request_server(self, *, volume_id: str, port_id: str, tag: str = "contract") -> models.Accepted:
        return self.cloud.compute.create_server_from_volume(
            name=self.unique("server"),
            flavor_id=self.flavors[FLAVOR].id,
            volume_id=volume_id,
            port_ids=[port_id],
            tags=["contract", tag],
            metadata={"made-by": "contract"},
        )

    def server(self, *, tag: str = "contract") -> models.Server:
        """A server that runs."""
        boot = self.volume(image_id=self.image.id)
        accepted = self.request_server(volume_id=boot.id, port_id=self.port().id, tag=tag)
        server = settled(lambda: self.cloud.compute.get_server(accepted.id))
        assert server.status == "ACTIVE", server
        return server

    # -- and nothing left behind

    def clear(self) -> None:
        """Delete whatever the project holds, then the project."""
        self._clear_compute()
        self._clear_block_storage()
        self._clear_network()
        with suppress(errors.NotFound):  # no limit was set
            self.operator.quotas.reset_network(self.project.id)
        self.operator.identity.delete_project(self.project.id)

    def _clear_compute(self) -> None:
        compute = self.cloud.compute
        for server in compute.find_servers():
            with suppress(errors.NotFound):
                compute.delete_server(server.id)
        eventually(compute.find_servers, lambda servers: not servers)

    def _clear_block_storage(self) -> None:
        cloud = self.cloud
        self._delete_all(cloud.backups.find_backups, cloud.backups.delete_backup)
        self._delete_all(cloud.snapshots.find_snapshots, cloud.snapshots.delete_snapshot)
        self._delete_all(cloud.volumes.find_volumes, cloud.volumes.delete_volume)

    def _delete_all(self, find: Callable[[], list[Seen]], delete: Callable[[str], None]) -> None:
        """An incremental backup goes before its parent, so ask again until nothing is left."""

        def left() -> list[Seen]:
            found = find()
            for thing in found:
                with suppress(errors.CloudError):
                    delete(thing.id)  # type: ignore[attr-defined]
            return found

        eventually(left, lambda found: not found)

    def _clear_network(self) -> None:
        network, routing = self.cloud.network, self.cloud.routing
        for floating_ip in routing.find_floating_ips():
            routing.delete_floating_ip(floating_ip.id)
        for router in routing.find_routers():
            for port in network.find_ports(server_id=router.id):
                if port.network_id == self.network.id:
                    routing.remove_router_subnet(router_id=router.id, subnet_id=self.subnet.id)
            routing.delete_router(router.id)
        for own in (found for found in network.find_networks() if found.project_id == self.project.id):
            for port in network.find_ports(network_id=own.id):
                if not port.device_owner.startswith("network:"):
                    network.delete_port(port.id)
            network.delete_network(own.id)
        for group in self.cloud.security_groups.find_groups():
            if group.name != "default":
                self.cloud.security_groups.delete_group(group.id)
