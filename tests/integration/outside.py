"""Things that somebody else built on the sandbox: as a user of their own, who is a member of a project of theirs."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from govcloud.gateways import openstack
from govcloud.gateways.openstack import Cloud, Given
from tests.integration.sandboxed import Sandbox
from tests.openstack.laboratory import eventually


@dataclass(frozen=True, slots=True)
class Outside:
    """A project of another team's; ``cloud`` is the cloud as they see it, and ``eventually`` waits until they see something."""

    project: str
    name: str
    cloud: Cloud
    eventually: Callable[[Callable[[], Any], Callable[[Any], bool]], Any] = eventually

    def network(self, cidr: str, *, name: str = "OA net") -> str:
        network = self.cloud.network.create_network(name=name)
        self.cloud.network.create_subnet(network_id=network.id, name=name, cidr=cidr)
        return network.id

    def volume(self, name: str, *, size: int, kind: str = "sas", image: str | None = None) -> str:
        found = self.cloud.images.find_image(image) if image else None
        volumes = self.cloud.volumes
        volume = volumes.create_volume(
            name=name, size_gib=size, volume_type=kind, metadata={}, image_id=found.id if found else None
        )
        self.eventually(lambda: volumes.get_volume(volume.id).status, lambda seen: seen == "available")
        return volume.id

    def server(
        self, name: str, *networks: str, flavor: str = "g.4c16g", boot: str = "", image: str = ""
    ) -> str:
        """Booting from a volume of theirs, or from an image on a local disk; its ports are made by the cloud."""
        body: dict[str, Any] = {
            "name": name,
            "flavorRef": next(each.id for each in self.cloud.compute.flavors() if each.name == flavor),
            "networks": [{"uuid": network} for network in networks],
            "tags": ["theirs"],
        }
        if boot:
            body["block_device_mapping_v2"] = [
                {"boot_index": 0, "uuid": boot, "source_type": "volume", "destination_type": "volume"}
            ]
        else:
            found = self.cloud.images.find_image(image)
            assert found is not None
            body["imageRef"] = found.id
        answer = self.send("compute", "POST", "/servers", {"server": body}, microversion="2.52")
        server_id: str = answer["server"]["id"]
        self.eventually(
            lambda: self.cloud.compute.get_server(server_id).status, lambda seen: seen == "ACTIVE"
        )
        return server_id

    def attach(self, server: str, volume: str) -> None:
        self.cloud.compute.attach_volume(server, volume_id=volume)
        self.eventually(lambda: self.cloud.volumes.get_volume(volume).status, lambda seen: seen == "in-use")

    def send(
        self, service: str, method: str, path: str, body: Any, *, microversion: str | None = None
    ) -> Any:
        transport = self.cloud._transport
        return transport.send(service, method, path, json=body, microversion=microversion).body


def project_of(sandbox: Sandbox, *, name: str) -> Outside:
    """A new project with an owner who is no user of ours."""
    ours, password = openstack.connect(cloud="sandbox"), secrets.token_urlsafe()
    project = ours.identity.create_project(name=name)
    user = {"name": f"{name}-owner", "password": password, "domain_id": "default"}
    made = ours._transport.send("identity", "POST", "/users", json={"user": user}).body["user"]
    role = ours.identity.find_role(name="member")
    assert role is not None
    ours.identity.grant_role(project_id=project.id, role_id=role, user_id=made["id"])
    auth = {
        "auth_url": f"{sandbox.url}/identity/v3", "username": user["name"], "password": password,
        "project_name": name, "user_domain_name": "Default", "project_domain_name": "Default",
    }  # fmt: skip
    settings = {"auth": auth, "region_name": "RegionOne", "identity_api_version": "3"}
    return Outside(
        project.id, name, openstack.connect(cloud=name, given=Given(stamp=name, read=lambda: settings))
    )
