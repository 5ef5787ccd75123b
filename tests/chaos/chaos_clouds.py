"""The clouds a chaos run can build on: how each is started, made to fail, and left as it was found."""

import io
import os
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol
from uuid import uuid4

from govcloud.catalog.models import Cloud, CloudImage, CloudStorageClass
from govcloud.clouds import guest_keys
from govcloud.embedded import installation
from govcloud.embedded.supervisor import Child, NotReadyError, Supervisor, answers
from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors
from govcloud.inventory.models import Project, ResourceKind
from tests.chaos import chaos_faults
from tests.chaos.actions import OTHER_IMAGE, SHARES
from tests.chaos.chaos_orders import IMAGE
from tests.chaos.chaos_plan import OPENSTACK, SANDBOX, Plan
from tests.chaos.chaos_proxy import Proxy
from tests.factories.catalog import CloudImageFactory
from tests.integration.sandboxed import Sandbox
from tests.openstack.laboratory import Laboratory

BUILT_PER_ORDERED_GB = 200  # the development cloud's disks are small: 200 GB ordered are 1 GB built
IMAGES = {IMAGE: "govcloud-chaos", OTHER_IMAGE: "govcloud-chaos-other"}
"""Their names on the real cloud, by those of the catalogue: systems are written anew with either."""


class Ground(Protocol):
    """What a run stands on. ``large_gb`` is what a data volume grows by; ``actions``: how often each direct one is asked for."""

    flavors: tuple[str, ...]
    large_gb: int
    actions: Mapping[ResourceKind, Mapping[str, int]]

    def start(self, supervisor: Supervisor) -> None:
        """Have the cloud there, and ``OS_CLIENT_CONFIG_FILE`` lead to it."""

    def enter(self, cloud: Cloud) -> None:
        """Say in the catalogue what is particular about it."""

    def begin_faults(self) -> None: ...

    def end_faults(self) -> None: ...

    def injected(self) -> Counter[str]: ...

    def calls(self) -> int:
        """How many the cloud was sent while faults were injected."""

    def look_straight(self) -> None:
        """From now on this process asks the cloud itself."""

    def leave(self) -> None:
        """As it was found."""


class SandboxGround:
    """The sandbox, in a process of its own, taking its time like a small cloud."""

    flavors = ("g.2c4g", "g.2c8g", "g.4c8g")
    large_gb = 100
    actions = SHARES

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._state = plan.var / "sandbox"
        port = installation.free_port(0)
        self._sandbox = Sandbox(f"http://127.0.0.1:{port}", self._state)
        self._child = Child(
            name="sandbox cloud",
            command=[sys.executable, "-m", "govcloud.sandbox", "--state", str(self._state), "--port", str(port), "--no-guests"],
            log=plan.var / "log" / "sandbox.log",
            ready=lambda: answers(f"{self._sandbox.url}/sandbox/health"),
        )  # fmt: skip
        self._injected: Counter[str] = Counter()
        self._calls = 0

    def start(self, supervisor: Supervisor) -> None:
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(self._state / "clouds.yaml")
        supervisor.start(self._child)

    def enter(self, cloud: Cloud) -> None:
        """Everything is called there as in the catalogue; systems are written anew with either image."""
        CloudImageFactory(cloud=cloud, image__code=OTHER_IMAGE)
        cloud.backup_zone = "dr"
        cloud.save(update_fields=["backup_zone"])

    def begin_faults(self) -> None:
        plan, pace = self._plan, self._plan.pace
        self._sandbox.ask("DELETE", "/calls")
        for rule in chaos_faults.rules(
            share=plan.faults, seed=plan.seed, api_timeout=pace.api_timeout, late=pace.late
        ):
            self._sandbox.ask("POST", "/faults", rule)

    def end_faults(self) -> None:
        self._injected, self._calls = self.injected(), self.calls()
        self._sandbox.ask("DELETE", "/faults")

    def injected(self) -> Counter[str]:
        found: Counter[str] = Counter(self._injected)
        for rule in self._sandbox.ask("GET", "/faults")["faults"]:
            found[chaos_faults.named(rule)] += rule["hits"]
        return found

    def calls(self) -> int:
        if self._calls:
            return self._calls
        counts = self._sandbox.ask("GET", "/calls")["counts"]
        return sum(each["count"] for each in counts if each["service"] != "sandbox")

    def look_straight(self) -> None:
        """It is asked directly all the time."""

    def leave(self) -> None:
        """Its state is below the run's own folder."""


class OpenStackGround:
    """The real OpenStack of ``tests/devcloud/up``, through a proxy that injects faults."""

    flavors = ("g.2c4g", "g.2c8g")
    large_gb = BUILT_PER_ORDERED_GB
    # Its storage leaves the snapshot of a volume in use to the hypervisor, and a fake one never ends it.
    actions = SHARES | {ResourceKind.VOLUME: {"attach": 6, "detach": 4}}

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._proxy = Proxy(
            share=plan.faults, seed=plan.seed, silence=plan.pace.api_timeout + 1, late=plan.pace.late
        )

    def start(self, supervisor: Supervisor) -> None:  # noqa: ARG002  it runs already
        self.look_straight()
        health = openstack.health(cloud=OPENSTACK)
        if not health.ok:
            raise NotReadyError(
                f"The cloud {OPENSTACK!r} is {health.state}: start it with tests/devcloud/up. {health.detail}"
            )
        for name in IMAGES.values():
            _have_image(openstack.connect(cloud=OPENSTACK), name)
        target = self._plan.var / "clouds.yaml"
        self._proxy.start(cloud=OPENSTACK, clouds_yaml=self._plan.clouds_yaml, target=target)
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(target)

    def enter(self, cloud: Cloud) -> None:
        cloud.online_extend = False
        cloud.sizes_must_match = False  # all there is small, whatever it is called
        cloud.save(update_fields=["online_extend", "sizes_must_match"])
        CloudStorageClass.objects.filter(cloud=cloud).update(ordered_gb_per_built_gb=BUILT_PER_ORDERED_GB)
        CloudImageFactory(cloud=cloud, image__code=OTHER_IMAGE)
        for code, name in IMAGES.items():
            CloudImage.objects.filter(cloud=cloud, image__code=code).update(cloud_name=name)

    def begin_faults(self) -> None:
        self._proxy.begin()

    def end_faults(self) -> None:
        self._proxy.end()

    def injected(self) -> Counter[str]:
        return Counter(self._proxy.injected)

    def calls(self) -> int:
        return self._proxy.calls

    def look_straight(self) -> None:
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(self._plan.clouds_yaml)

    def leave(self) -> None:
        """Remove every project of the run with what is in it, and our key."""
        if not self._proxy.serves:
            return
        self._proxy.stop()
        self.look_straight()
        operator = openstack.connect(cloud=OPENSTACK)
        for project in Project.objects.all():
            with suppress(errors.NotFound):
                laboratory = Laboratory(operator, name=f"chaos {project.external_id}")
                laboratory.project = operator.identity.get_project(project.external_id)
                laboratory.clear()
        with suppress(errors.NotFound):
            operator.compute.delete_keypair(guest_keys.current().name)


def _have_image(operator: openstack.Cloud, name: str) -> None:
    """An image with nothing in it: the servers of a run need not boot, and nobody reaches for their guests."""
    if operator.images.find_image(name) is not None:
        return
    made = operator.images.create_image(
        image_id=str(uuid4()), name=name, disk_format="raw", min_disk_gib=1, visibility="public",
        properties={"govcloud_guest": "none", "os_admin_user": "root"},
    )  # fmt: skip
    operator.images.upload_image(made.id, data=io.BytesIO(bytes(1 << 20)))


def ground(plan: Plan) -> Ground:
    return SandboxGround(plan) if plan.cloud == SANDBOX else OpenStackGround(plan)
