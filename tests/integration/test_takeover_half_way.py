"""Takeovers that do not go through: called off, cut short, asked for too late, or of more than one project."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from pytest_django import Settings

from govcloud.gateways import openstack
from govcloud.inventory.models import Project, Resource
from govcloud.orders import cancellation
from govcloud.provisioning import engine
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.kinds.tenancy import LIMITS, limits_of
from govcloud.provisioning.models import Operation
from govcloud.provisioning.services import FinishedAlready
from govcloud.quotas.models import QuotaAccount
from govcloud.takeover import leaving, services, settling, survey, taking, tasks
from govcloud.takeover.models import Takeover
from tenants.models import Role, User
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.integration.building import now, states, work
from tests.integration.dying import Killed
from tests.integration.outside import Outside, project_of
from tests.integration.sandboxed import Sandbox
from tests.integration.test_takeover import (
    assigned,
    findings,
    furnished,
    surveyed,
    taken_over,
    used,
)

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


def begun(on: Scene, theirs: Outside, admin: User) -> Operation:
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    operation = taking.take(takeover=takeover, actor=admin, at=now()).operation
    assert operation is not None
    return operation


def abandon(operation: Operation, admin: User) -> None:
    cancellation.abandon(operation=operation, reason="wrong system", actor=admin, at=now())
    work()
    settling.settle(at=now())


def member_of(theirs: Outside) -> bool:
    """Whether our user is."""
    ours = openstack.connect(cloud="sandbox")
    role = ours.identity.find_role(name="member") or ""
    return ours.identity.has_role(project_id=theirs.project, role_id=role, user_id=ours.user_id)


def test_what_was_taken_before_the_rest_was_called_off_stays(on: Scene, theirs: Outside, admin: User) -> None:
    ids = furnished(theirs, "10.78.1.0/24")
    before = {name: theirs.cloud.volumes.get_volume(ids[name]) for name in ("boot", "data")}
    operation = begun(on, theirs, admin)
    while not Resource.objects.filter(name="web").exists():
        engine.run_due(clock=now, most=1)
    web = Resource.objects.get(name="web")
    requests.request(
        resource=web, action=actions()["stop"], parameters=Nothing(), actor=on.applicant, at=now()
    )
    taken = set(Resource.objects.values_list("name", flat=True))
    abandon(operation, admin)
    operation.refresh_from_db()
    assert operation.status == "done", states()
    takeover = Takeover.objects.get()
    assert {"oa-net", "web"} <= taken
    assert taken.isdisjoint({"oa", "oa-data"})
    assert dict(takeover.candidates.values_list("name", "status")) == {
        name: "taken" if name in taken else "open"
        for name in ("oa-net", "oa-db-01", "web", "oa", "oa-data", "spare")
    }
    assert set(Resource.objects.values_list("name", "status")) == {(name, "active") for name in taken}
    assert {name: theirs.cloud.volumes.get_volume(ids[name]) for name in before} == before
    assert used(on)["servers"] == len(taken & {"web", "oa-db-01"})
    assert not QuotaAccount.objects.filter(held__gt=0).exists()
    assert Project.objects.get(system=on.system).external_id == theirs.project
    assert member_of(theirs)
    with pytest.raises(FinishedAlready):
        cancellation.abandon(operation=operation, reason="all of it", actor=admin, at=now())


def test_a_server_that_was_taken_gets_its_volumes_though_the_rest_is_called_off(
    on: Scene, theirs: Outside, admin: User
) -> None:
    furnished(theirs, "10.78.5.0/24")
    operation = begun(on, theirs, admin)
    spare, server = (operation.steps.get(label=label) for label in ("spare", "oa-db-01"))
    spare.needs.add(server)
    while not Resource.objects.filter(name="oa-db-01").exists():
        engine.run_due(clock=now, most=1)
    assert not Resource.objects.filter(kind="volume").exists()
    abandon(operation, admin)
    takeover = Takeover.objects.get()
    standing = dict(takeover.candidates.values_list("name", "status"))
    assert {name: standing[name] for name in ("oa-db-01", "oa", "oa-data", "spare")} == {
        "oa-db-01": "taken",
        "oa": "taken",
        "oa-data": "taken",
        "spare": "open",
    }, states()


def test_called_off_before_anything_was_taken_all_of_it_goes(on: Scene, theirs: Outside, admin: User) -> None:
    furnished(theirs, "10.78.2.0/24")
    operation = begun(on, theirs, admin)
    while not operation.steps.filter(kind="takeover_entry", state="done").exists():
        engine.run_due(clock=now, most=1)
    abandon(operation, admin)
    operation.refresh_from_db()
    assert operation.status == "undone", states()
    assert not Project.objects.filter(system=on.system).exists()
    assert not member_of(theirs)


@pytest.mark.parametrize("kind", ["network", "db", "spare"])
def test_what_was_marked_half_way_is_unmarked_when_it_is_called_off(
    on: Scene, theirs: Outside, admin: User, kind: str
) -> None:
    ids = furnished(theirs, "10.78.3.0/24")
    see = {
        "network": theirs.cloud.network.get_network,
        "db": lambda server: replace(theirs.cloud.compute.get_server(server), addresses={}),
        "spare": theirs.cloud.volumes.get_volume,
    }[kind]
    before = see(ids[kind])
    operation = begun(on, theirs, admin)

    def dies(exchange: openstack.Exchange) -> None:
        if exchange.method != "GET" and ids[kind] in exchange.path:
            raise Killed

    with suppress(Killed), openstack.recording(dies):
        while engine.run_due(clock=now, most=1):
            pass
    assert see(ids[kind]) != before
    abandon(operation, admin)
    assert see(ids[kind]) == before, states()


def test_what_was_marked_and_may_not_be_renamed_is_unmarked_when_it_is_called_off(
    on: Scene, theirs: Outside, admin: User, building: Sandbox, settings: Settings
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=0.5)
    spare = theirs.volume("Spare", size=20)
    before = theirs.cloud.volumes.get_volume(spare)
    refusal = {
        "service": "volume",
        "method": "PUT",
        "path": f"/volumes/{spare}$",
        "action": "status",
        "status": 400,
    }
    building.ask("POST", "/faults", {**refusal, "when": "before", "message": "no", "times": 2})
    operation = begun(on, theirs, admin)
    work()
    building.ask("DELETE", "/faults")
    assert operation.steps.get(kind="volume_takeover").state == "parked", states()
    assert theirs.cloud.volumes.get_volume(spare).metadata != {}
    abandon(operation, admin)
    assert theirs.cloud.volumes.get_volume(spare) == before, states()


def test_a_lease_that_has_ended_by_now_is_not_begun(on: Scene, theirs: Outside, admin: User) -> None:
    theirs.volume("spare", size=20)
    end = now() + timedelta(days=1)
    takeover = assigned(on, surveyed(on, theirs, admin), admin, lease_end=end)
    with pytest.raises(services.NotInTheFuture):
        taking.foresee(takeover=takeover, at=end)
    with pytest.raises(services.NotInTheFuture):
        taking.take(takeover=takeover, actor=admin, at=end)
    assert not Operation.objects.exists()


def test_a_network_that_was_taken_over_has_no_lease(on: Scene, theirs: Outside, admin: User) -> None:
    theirs.network("10.78.4.0/24")
    theirs.volume("spare", size=20)
    end = now() + timedelta(days=90)
    takeover = assigned(on, surveyed(on, theirs, admin), admin, lease_end=end)
    taking.take(takeover=takeover, actor=admin, at=now())
    work()
    leases = dict(Resource.objects.values_list("kind", "lease_end"))
    assert leases == {"network": None, "volume": end}, states()


def test_our_access_to_a_project_ends_whatever_we_had_to_the_one_before(
    on: Scene, theirs: Outside, admin: User, building: Sandbox
) -> None:
    ours = openstack.connect(cloud="sandbox")
    role = ours.identity.find_role(name="member") or ""
    ours.identity.grant_role(project_id=theirs.project, role_id=role, user_id=ours.user_id)
    other = project_of(building, name=f"{theirs.name}-2")
    for project in (theirs, other):
        project.volume("spare", size=20)
        takeover = taken_over(on, project, admin)
        everything = [each.uuid for each in takeover.candidates.all()]
        leaving.give_up(takeover=takeover, candidates=everything, reason="wrong", actor=admin, at=now())
        work()
    assert member_of(theirs)
    assert not member_of(other), states()


THEIR_LIMITS = {
    "compute": {"instances": 12, "cores": None, "ram": 40960},
    "volume": {"volumes": 9, "gigabytes": 700, "snapshots": 5, "backups": None, "backup_gigabytes": 1000},
    "network": {
        "network": 6, "subnet": 7, "port": 80, "security_group": 8, "security_group_rule": 90, "router": 3,
        "floatingip": None,
    },
}  # fmt: skip


def limited(theirs: Outside) -> None:
    quotas = openstack.connect(cloud="sandbox").quotas
    for service, kind in LIMITS.items():
        kind.write(quotas, theirs.project, THEIR_LIMITS[service])


def limits_now(theirs: Outside) -> dict[str, dict[str, int | None]]:
    found = limits_of(openstack.connect(cloud="sandbox").quotas, theirs.project)
    return {
        service: {name: found[service][name].limit for name in THEIR_LIMITS[service]} for service in found
    }


def test_a_project_of_which_everything_was_left_is_theirs_again_as_it_was(
    on: Scene, theirs: Outside, admin: User
) -> None:
    limited(theirs)
    grown = theirs.volume("spare", size=20)
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    theirs.cloud.volumes.extend_volume(grown, size_gib=30)
    taking.take(takeover=takeover, actor=admin, at=now())
    work()
    assert member_of(theirs)
    assert limits_now(theirs)["compute"] == {"instances": 0, "cores": 0, "ram": 0}, "nothing of ours is there"
    for _again in range(2):
        tasks.settle()
        work()
    assert takeover.candidates.get().remark == "it is sas, 30 GiB by now"
    assert limits_now(theirs) == THEIR_LIMITS, states()
    assert not member_of(theirs)
    assert not Project.objects.filter(system=on.system).exists()
    assert Operation.objects.count() == 2, "it is left once"
    assert findings(on) == []
    takeover = surveyed(on, theirs, admin)
    assert taking.take(takeover=takeover, actor=admin, at=now()).begun, "it can be taken over after all"


def test_limits_come_back_with_the_last_of_what_is_given_up_or_called_off(
    on: Scene, theirs: Outside, admin: User
) -> None:
    limited(theirs)
    first, second = (theirs.volume(name, size=20) for name in ("first", "second"))
    takeover = taken_over(on, theirs, admin)
    assert limits_now(theirs)["volume"]["volumes"] == 2
    for each, left in (
        (first, 2),
        (second, THEIR_LIMITS["volume"]["volumes"]),
    ):  # Cinder: no less than is there
        chosen = takeover.candidates.get(external_id=each)
        leaving.give_up(takeover=takeover, candidates=[chosen.uuid], reason="wrong", actor=admin, at=now())
        work()
        assert limits_now(theirs)["volume"]["volumes"] == left
    assert limits_now(theirs) == THEIR_LIMITS
    again = taking.take(takeover=surveyed(on, theirs, admin), actor=admin, at=now()).operation
    assert again is not None
    while not again.steps.filter(kind="network_quota", state="done").exists():
        engine.run_due(clock=now, most=1)
    assert limits_now(theirs)["network"]["network"] == 0
    abandon(again, admin)
    assert limits_now(theirs) == THEIR_LIMITS, states()


def test_a_survey_that_our_own_fault_ends_says_so(on: Scene, theirs: Outside, admin: User) -> None:
    theirs.volume("spare", size=20)
    takeover = services.request(cloud=on.catalogue.cloud, project=theirs.name, actor=admin, at=now())
    taken = survey.take(takeover, at=now())
    assert taken is not None

    def stops() -> datetime:
        if Takeover.objects.filter(status="surveyed").exists():
            raise ZeroDivisionError
        return now()

    with pytest.raises(ZeroDivisionError):
        survey.carry_out(taken, clock=stops)
    takeover.refresh_from_db()
    assert (takeover.status, takeover.failure, takeover.lease_until) == ("failed", "ZeroDivisionError", None)
    assert not takeover.candidates.exists()


@pytest.mark.parametrize("typed", ["../users", "?name=x", "a/b", "", "#"])
def test_what_is_no_projects_id_is_looked_for_and_not_found(on: Scene, admin: User, typed: str) -> None:
    with pytest.raises(services.NoSuchProject):
        services.request(cloud=on.catalogue.cloud, project=typed, actor=admin, at=now())


def test_routers_and_floating_addresses_that_stay_are_left_room_for(
    on: Scene, theirs: Outside, admin: User
) -> None:
    theirs.network("10.78.5.0/24")
    outside = next(each for each in theirs.cloud.network.find_networks() if each.external)
    for name in ("one", "two", "three"):
        theirs.cloud.routing.create_router(name=name)
    theirs.cloud.routing.create_floating_ip(external_network_id=outside.id)
    taken_over(on, theirs, admin)
    limits = openstack.connect(cloud="sandbox").quotas.network(theirs.project)
    assert (limits["router"].limit, limits["router"].used) == (4, 3), states()
    assert (limits["floatingip"].limit, limits["floatingip"].used) == (1, 1)
    assert sorted(each.split()[:2] for each in findings(on)) == [
        ["foreign", "floating_address"],
        *[["foreign", "router"]] * 3,
    ], "they are told of, and no limit is"
