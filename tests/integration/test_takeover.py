"""A project that another team built on the sandbox, taken over: by the engine, over HTTP."""

from datetime import timedelta
from uuid import uuid4

import pytest

from govcloud.gateways import openstack
from govcloud.inventory.models import Address, Project, Resource, Server, Volume
from govcloud.metering.models import UsageSegment
from govcloud.provisioning import engine
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation import services as reconciliation
from govcloud.reconciliation import sweeps
from govcloud.reconciliation.findings import RECONCILER
from govcloud.reconciliation.models import Extent, Finding
from govcloud.takeover import services, settling, survey, taking
from govcloud.takeover.models import Candidate, Takeover
from tenants.models import Role, User
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.integration.building import now, states, work
from tests.integration.outside import Outside, project_of
from tests.integration.sandboxed import Sandbox

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("building"),
    pytest.mark.filterwarnings("ignore:Support for InfluxDB"),  # of the other team's openstacksdk
]


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, zone="private")


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def theirs(building: Sandbox) -> Outside:
    return project_of(building, name=f"oa-{uuid4().hex[:8]}")


def furnished(theirs: Outside, cidr: str) -> dict[str, str]:
    """A network, a server that boots from a volume and has another, one on a local disk, and a volume by itself."""
    network = theirs.network(cidr)
    boot = theirs.volume("OA 系统盘", size=100, kind="ssd", image="debian-12")
    data = theirs.volume("OA data", size=500)
    server = theirs.server("OA-DB 01", network, boot=boot)
    theirs.attach(server, data)
    local = theirs.server("web", network, image="debian-12", flavor="g.2c4g")
    spare = theirs.volume("spare", size=20)
    return {"network": network, "boot": boot, "data": data, "db": server, "web": local, "spare": spare}


def surveyed(on: Scene, theirs: Outside, admin: User) -> Takeover:
    takeover = services.request(cloud=on.catalogue.cloud, project=theirs.name, actor=admin, at=now())
    taken = survey.take(takeover, at=now())
    assert taken is not None
    survey.carry_out(taken, clock=now)
    takeover.refresh_from_db()
    assert takeover.failure == ""
    return takeover


def assigned(on: Scene, takeover: Takeover, admin: User, **terms: object) -> Takeover:
    to = services.Assignment(system=on.system, zone="private", **terms)
    return services.assign(takeover=takeover, to=to, actor=admin, at=now())


def taken_over(on: Scene, theirs: Outside, admin: User) -> Takeover:
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    taking.take(takeover=takeover, actor=admin, at=now())
    work()
    settling.settle(at=now())
    return takeover


def obstacles(takeover: Takeover) -> dict[str, list[str]]:
    return {each.found_name: each.obstacles for each in takeover.candidates.all() if each.obstacles}


def findings(on: Scene) -> list[str]:
    """What a full pass finds a minute later."""
    waiting = sweeps.request(
        cloud=on.catalogue.cloud, extent=Extent.FULL, actor=RECONCILER, at=now() + timedelta(minutes=1)
    )
    reconciliation.sweep(waiting=waiting, clock=lambda: now() + timedelta(minutes=1))
    waiting.refresh_from_db()
    assert waiting.failure == ""
    return [
        f"{each} {[(d.field, d.expected, d.found) for d in each.differences.all()]}"
        for each in Finding.objects.exclude(status="resolved")
    ]


def used(on: Scene) -> dict[str, int]:
    rows = QuotaAccount.objects.filter(department=on.department).exclude(used=0, held=0)
    return {each.dimension: each.used for each in rows if each.held == 0}


def test_a_whole_project_is_taken_over_and_nothing_is_found_to_be_wrong_with_it(
    on: Scene, theirs: Outside, admin: User
) -> None:
    ids = furnished(theirs, "10.77.1.0/24")
    takeover = taken_over(on, theirs, admin)
    assert obstacles(takeover) == {}
    assert {each.status for each in takeover.candidates.all()} == {"taken"}, states()
    assert Project.objects.get(system=on.system).external_id == theirs.project
    names = dict(Resource.objects.values_list("external_id", "name"))
    assert names == {
        ids["network"]: "oa-net", ids["db"]: "oa-db-01", ids["web"]: "web", ids["boot"]: "oa",
        ids["data"]: "oa-data", ids["spare"]: "spare",
    }  # fmt: skip
    assert used(on) == {
        "servers": 2, "vcpus": 6, "memory_gb": 20, "storage_gb": 620, "networks": 1,
    }  # fmt: skip
    assert findings(on) == []
