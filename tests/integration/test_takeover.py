"""A project that another team built on the sandbox, taken over: by the engine, over HTTP."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from govcloud.errors import Invalids
from govcloud.gateways import openstack
from govcloud.inventory import services as inventory
from govcloud.inventory.models import Address, AddressBlock, Project, Resource, Server, Volume
from govcloud.metering.models import UsageSegment
from govcloud.orders.drafts import ExtendDraft, ReleaseDraft, ResizeDraft, StorageDraft
from govcloud.orders.renaming import NewName
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning import engine
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.storage import Named, ToServer
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation import services as reconciliation
from govcloud.reconciliation import sweeps
from govcloud.reconciliation.findings import RECONCILER
from govcloud.reconciliation.models import Extent, Finding
from govcloud.takeover import leaving, services, settling, survey, taking
from govcloud.takeover.models import Candidate, Takeover
from tenants.models import Role, User
from tests.factories.orders import BACKUP, SERVERS, Scene, approved, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, states, work
from tests.integration.dying import Killed
from tests.integration.outside import Outside, project_of
from tests.integration.sandboxed import Sandbox
from tests.integration.test_reconciliation import LATER, left_over, marked_volume
from tests.integration.test_reconciliation import swept as compared
from tests.openstack.laboratory import gone

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


def test_usage_is_metered_from_the_takeover_on_and_not_before(
    on: Scene, theirs: Outside, admin: User
) -> None:
    furnished(theirs, "10.77.2.0/24")
    before = now()
    taken_over(on, theirs, admin)
    metered = {
        (each.resource.name, each.meter.code): int(each.quantity) for each in UsageSegment.objects.all()
    }
    assert metered == {
        ("oa-db-01", "vcpu"): 4, ("oa-db-01", "memory_gb"): 16, ("web", "vcpu"): 2, ("web", "memory_gb"): 4,
        ("oa", "block_ssd_gb"): 100, ("oa-data", "block_sas_gb"): 500, ("spare", "block_sas_gb"): 20,
    }  # fmt: skip
    assert min(each.period.lower for each in UsageSegment.objects.all()) > before
    assert set(Resource.objects.values_list("billing_start", flat=True)) >= set(
        UsageSegment.objects.values_list("period__startswith", flat=True)
    )


def test_a_later_billing_start_is_waited_for(on: Scene, theirs: Outside, admin: User) -> None:
    theirs.volume("spare", size=20)
    start = now() + timedelta(hours=2)
    takeover = assigned(on, surveyed(on, theirs, admin), admin, billing_start=start)
    taking.take(takeover=takeover, actor=admin, at=now())
    work()
    settling.begin_metering(at=now())
    assert not UsageSegment.objects.exists()
    settling.begin_metering(at=start + timedelta(minutes=3))
    assert UsageSegment.objects.get().period.lower == start
    settling.begin_metering(at=start + timedelta(minutes=4))
    assert UsageSegment.objects.count() == 1


def waited_for(on: Scene, theirs: Outside, admin: User) -> datetime:
    """Everything of theirs is taken over with a later billing start."""
    start = now() + timedelta(hours=2)
    takeover = assigned(on, surveyed(on, theirs, admin), admin, billing_start=start)
    taking.take(takeover=takeover, actor=admin, at=now())
    work()
    return start


def test_a_finding_that_is_adopted_before_the_billing_start_is_billed_from_then_on(
    on: Scene, theirs: Outside, admin: User, building: Sandbox
) -> None:
    spare = theirs.volume("spare", size=20)
    start = waited_for(on, theirs, admin)
    building.ask("POST", f"/rows/volume/{spare}", {"size": 50})
    assert len(findings(on)) == 1
    reconciliation.apply(finding=Finding.objects.get(), actor=admin, at=now())
    work()
    assert (Volume.objects.get().size_gb, used(on)["storage_gb"]) == (50, 50)
    assert not UsageSegment.objects.exists()
    settling.begin_metering(at=start + timedelta(minutes=3))
    usage = UsageSegment.objects.get()
    assert (usage.quantity, usage.period.lower) == (50, start)


def test_what_an_order_changes_before_the_billing_start_is_billed_from_the_change_on(
    on: Scene, theirs: Outside, admin: User
) -> None:
    theirs.volume("spare", size=20)
    start = waited_for(on, theirs, admin)
    spare = Resource.objects.get(name="spare")
    assert built(on, items=(ExtendDraft(target=spare.uuid, size_gb=50),)).status == "fulfilled", states()
    usage = UsageSegment.objects.get()
    assert (usage.quantity, usage.period.lower < start) == (50, True)
    settling.begin_metering(at=start + timedelta(minutes=3))
    assert UsageSegment.objects.get() == usage


def test_a_server_that_is_suspended_at_the_billing_start_is_not_metered_although_it_is_in_hand(
    on: Scene, theirs: Outside, admin: User
) -> None:
    theirs.server("web", theirs.network("10.77.40.0/24"), image="debian-12", flavor="g.2c4g")
    start = waited_for(on, theirs, admin)
    Server.objects.update(suspended_at=now())
    Resource.objects.filter(kind="server").update(status="changing")
    settling.begin_metering(at=start + timedelta(minutes=3))
    assert not UsageSegment.objects.filter(resource__kind="server").exists()


def test_what_was_taken_over_keeps_what_others_set_and_stays_reachable(
    on: Scene, theirs: Outside, admin: User
) -> None:
    network = theirs.network("10.77.3.0/24")
    server = theirs.server("web", network, image="debian-12")
    group = theirs.cloud.security_groups.create_group(name="web in")
    (port,) = theirs.cloud.network.find_ports(server_id=server)
    theirs.cloud.network.set_port_groups(port.id, security_group_ids=[group.id])
    taken_over(on, theirs, admin)
    assert theirs.cloud.network.get_port(port.id).security_group_ids == (group.id,)
    assert "theirs" in theirs.cloud.compute.get_server(server).tags
    assert findings(on) == []


def test_things_that_stay_behind_are_named_with_the_reason(on: Scene, theirs: Outside, admin: User) -> None:
    ids = furnished(theirs, "10.77.4.0/24")
    odd = theirs.volume("odd", size=5, kind="capacity")
    kept = theirs.volume("kept", size=5)
    theirs.attach(ids["web"], kept)
    theirs.cloud.snapshots.create_snapshot(volume_id=kept, name="before", metadata={}, force=True)
    on.catalogue.cloud.storage_classes.filter(cloud_name="capacity").delete()
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    assert obstacles(takeover) == {
        "odd": ["class_unknown"],
        "kept": ["has_snapshots"],
        "web": ["volume_stays"],
    }
    begun = taking.take(takeover=takeover, actor=admin, at=now())
    assert {str(each) for each in begun.begun} == {"oa-net", "oa-db-01", "oa", "oa-data", "spare"}
    work()
    assert theirs.cloud.volumes.get_volume(odd).metadata == {}
    left = findings(on)
    assert all(each.startswith("foreign") for each in left)
    assert len(left) == 3


def test_what_belongs_to_a_system_already_is_refused(on: Scene, theirs: Outside, admin: User) -> None:
    theirs.volume("spare", size=20)
    takeover = taken_over(on, theirs, admin)
    candidate = takeover.candidates.get()
    with pytest.raises(services.NotOpen):
        taking.take(takeover=takeover, candidates=[candidate.uuid], actor=admin, at=now())
    Candidate.objects.update(status="open")
    with pytest.raises(taking.AlreadyOwned, match=on.system.code):
        taking.take(takeover=takeover, candidates=[candidate.uuid], actor=admin, at=now())


def test_what_has_changed_since_the_survey_is_left_and_the_rest_goes_on(
    on: Scene, theirs: Outside, admin: User
) -> None:
    ids = furnished(theirs, "10.77.5.0/24")
    grown, deleted = theirs.volume("grown", size=5), theirs.volume("deleted", size=5)
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    theirs.cloud.volumes.extend_volume(grown, size_gib=6)
    theirs.cloud.volumes.delete_volume(deleted)
    more = theirs.volume("more", size=1)
    theirs.attach(ids["web"], more)
    taking.take(takeover=takeover, actor=admin, at=now())
    work()
    settling.settle(at=now())
    remarks = {each.found_name: each.remark for each in takeover.candidates.filter(status="open")}
    assert remarks == {
        "grown": "it is sas, 6 GiB by now",
        "deleted": "it is not there any more",
        "web": "its volumes have changed",
    }
    assert takeover.candidates.filter(status="taken").count() == 5
    assert used(on) == {"servers": 1, "vcpus": 4, "memory_gb": 16, "storage_gb": 620, "networks": 1}
    assert not QuotaAccount.objects.filter(held__gt=0).exists()


def test_a_server_does_without_a_volume_that_is_gone_since(on: Scene, theirs: Outside, admin: User) -> None:
    ids = furnished(theirs, "10.77.21.0/24")
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    theirs.cloud.compute.detach_volume(ids["db"], volume_id=ids["data"])
    theirs.eventually(
        lambda: theirs.cloud.volumes.get_volume(ids["data"]).status, lambda seen: seen == "available"
    )
    theirs.cloud.volumes.delete_volume(ids["data"])
    gone(lambda: theirs.cloud.volumes.get_volume(ids["data"]))
    services.survey_again(takeover=takeover, actor=admin, at=now())
    again = survey.take(takeover, at=now())
    assert again is not None
    survey.carry_out(again, clock=now)
    candidate = takeover.candidates.get(external_id=ids["data"])
    assert (candidate.status, obstacles(takeover)) == ("gone", {})
    taking.take(takeover=takeover, actor=admin, at=now())
    work()
    settling.settle(at=now())
    statuses = dict(takeover.candidates.values_list("external_id", "status"))
    assert statuses.pop(ids["data"]) == "gone"
    assert set(statuses.values()) == {"taken"}


def test_a_full_quota_refuses_by_parcel_and_can_be_raised_on_order(theirs: Outside, admin: User) -> None:
    on = scene(level_3=False, zone="private", limits={"storage_gb": 100})
    furnished(theirs, "10.77.6.0/24")
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    begun = taking.take(takeover=takeover, actor=admin, at=now())
    assert {str(each.candidate): each.error.code for each in begun.refused} == {
        "oa-db-01": "quota-exceeded", "oa": "quota-exceeded", "oa-data": "quota-exceeded",
    }  # fmt: skip
    work()
    rest = taking.take(takeover=takeover, raise_limits=True, actor=admin, at=now())
    assert rest.refused == []
    work()
    account = QuotaAccount.objects.get(department=on.department, dimension="storage_gb")
    assert (account.limit, account.used) == (620, 620)
    assert findings(on) == []


def test_a_pass_in_the_middle_of_a_takeover_finds_nothing_foreign(
    on: Scene, theirs: Outside, admin: User
) -> None:
    furnished(theirs, "10.77.7.0/24")
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    taking.take(takeover=takeover, actor=admin, at=now())
    seen: list[str] = []
    while engine.run_due(clock=now, most=1) or Step.objects.filter(next_run_at__isnull=False).exists():
        seen += findings(on)
    assert takeover.candidates.filter(status="taken").count() == 6, states()
    assert seen == []


def test_what_an_operation_left_over_and_is_being_taken_over_is_not_cleared_away(
    on: Scene, theirs: Outside, admin: User, building: Sandbox
) -> None:
    """Its mark is that of an operation which is over, until the takeover comes to it."""
    theirs.volume("spare", size=20)
    taken_over(on, theirs, admin)
    external_id = marked_volume(on, building, left_over(on).unit)
    compared(on)
    assert Finding.objects.get().status == "suspected"
    takeover = surveyed(on, theirs, admin)
    assert takeover.candidates.get(external_id=external_id).obstacles == []
    taking.take(takeover=takeover, actor=admin, at=now())
    compared(on, after=LATER)
    assert not Operation.objects.filter(kind="mend").exists()
    work()
    assert takeover.candidates.get(external_id=external_id).status == "taken", states()
    assert findings(on) == []


def test_what_is_told_as_left_over_is_not_deleted_by_a_click_while_it_is_being_taken_over(
    on: Scene, theirs: Outside, admin: User, building: Sandbox
) -> None:
    theirs.volume("spare", size=20)
    taken_over(on, theirs, admin)
    step = left_over(on)
    external_id = marked_volume(on, building, step.unit)
    compared(on)
    Finding.objects.update(status="open")
    takeover = surveyed(on, theirs, admin)
    taking.take(takeover=takeover, actor=admin, at=now())
    with pytest.raises(reconciliation.StillMoving):
        reconciliation.apply(finding=Finding.objects.get(), actor=admin, at=now())
    work()
    assert takeover.candidates.get(external_id=external_id).status == "taken", states()


def test_a_takeover_and_a_click_at_the_same_moment_leave_the_thing(
    on: Scene, theirs: Outside, admin: User, building: Sandbox
) -> None:
    theirs.volume("spare", size=20)
    taken_over(on, theirs, admin)
    external_id = marked_volume(on, building, left_over(on).unit)
    compared(on)
    Finding.objects.update(status="open")
    reconciliation.apply(finding=Finding.objects.get(), actor=admin, at=now())
    other = left_over(on, kind="volume_takeover", ended=False)  # neither saw the other
    Operation.objects.filter(pk=other.operation_id).update(kind="takeover")
    Step.objects.filter(pk=other.pk).update(desired_state={"id": external_id, "ids": [external_id]})
    work()
    reconciliation.settle(at=now())
    finding = Finding.objects.get()
    assert (finding.status, finding.remark) == ("open", "it is being taken over"), states()
    assert openstack.connect(cloud="sandbox").census.volume(external_id).status == "available"


def test_a_worker_that_dies_after_every_request_leaves_nothing_half_taken(
    on: Scene, theirs: Outside, admin: User
) -> None:
    furnished(theirs, "10.77.8.0/24")
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    taking.take(takeover=takeover, actor=admin, at=now())
    asked: set[str] = set()

    def dies(exchange: openstack.Exchange) -> None:
        if exchange.method != "GET" and exchange.path not in asked:
            asked.add(exchange.path)
            raise Killed

    later = timedelta()
    for _life in range(60):
        try:
            with openstack.recording(dies):
                while engine.run_due(clock=lambda: now() + later, most=1):  # noqa: B023  this life's
                    pass
        except Killed:
            later += timedelta(minutes=10)  # until its lease has run out
    assert takeover.candidates.filter(status="taken").count() == 6, states()
    assert Resource.objects.count() == 6
    assert len(asked) > 10
    assert findings(on) == []


def test_abandoned_half_way_everything_is_theirs_again(on: Scene, theirs: Outside, admin: User) -> None:
    ids = furnished(theirs, "10.77.9.0/24")
    before = theirs.cloud.compute.get_server(ids["db"]), theirs.cloud.network.get_network(ids["network"])
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    operation = taking.take(takeover=takeover, actor=admin, at=now()).operation
    assert operation is not None
    while not Resource.objects.filter(kind="server").exists():
        engine.run_due(clock=now, most=1)
    provisioning.abandon(operation=operation, reason="wrong system", actor=admin, at=now())
    work()
    settling.settle(at=now())
    operation.refresh_from_db()
    assert operation.status == "undone", states()
    assert (
        theirs.cloud.compute.get_server(ids["db"]), theirs.cloud.network.get_network(ids["network"])
    ) == before  # fmt: skip
    assert {each.status for each in takeover.candidates.all()} == {"open"}
    assert used(on) == {}
    assert not QuotaAccount.objects.filter(held__gt=0).exists()
    assert not Project.objects.filter(system=on.system).exists()
    assert findings(on) == []


def test_given_up_nothing_is_deleted_and_it_can_be_taken_over_again(
    on: Scene, theirs: Outside, admin: User
) -> None:
    ids = furnished(theirs, "10.77.10.0/24")
    before = {name: theirs.cloud.volumes.get_volume(ids[name]) for name in ("boot", "data", "spare")}
    groups = {group.id for group in theirs.cloud.security_groups.find_groups()}
    takeover = taken_over(on, theirs, admin)
    everything = takeover.candidates.filter(kind__in=["server", "network"]) | takeover.candidates.filter(
        found_name="spare"
    )
    leaving.give_up(
        takeover=takeover,
        candidates=[each.uuid for each in everything],
        reason="wrong",
        actor=admin,
        at=now(),
    )
    work()
    assert {name: theirs.cloud.volumes.get_volume(ids[name]) for name in before} == before, states()
    assert {group.id for group in theirs.cloud.security_groups.find_groups()} == groups
    assert theirs.cloud.compute.get_server(ids["db"]).tags == {"theirs"}
    assert used(on) == {}
    assert not Project.objects.filter(system=on.system).exists()
    assert not UsageSegment.objects.filter(period__endswith=None).exists()
    ours = openstack.connect(cloud="sandbox")
    role = ours.identity.find_role(name="member")
    assert not ours.identity.has_role(project_id=theirs.project, role_id=role or "", user_id=ours.user_id)
    assert findings(on) == []
    again = taking.take(takeover=surveyed(on, theirs, admin), actor=admin, at=now())
    work()
    assert len(again.begun) == 6
    assert takeover.candidates.filter(status="taken").count() == 6, states()


def test_what_something_was_done_with_is_not_given_up(on: Scene, theirs: Outside, admin: User) -> None:
    furnished(theirs, "10.77.11.0/24")
    takeover = taken_over(on, theirs, admin)
    act(on, Resource.objects.get(name="web"), "stop", Nothing())
    web, network = takeover.candidates.get(name="web"), takeover.candidates.get(name="oa-net")
    with pytest.raises(leaving.UsedSince, match="something was done"):
        leaving.give_up(takeover=takeover, candidates=[web.uuid], reason="", actor=admin, at=now())
    with pytest.raises(leaving.UsedSince, match="it has servers"):
        leaving.give_up(takeover=takeover, candidates=[network.uuid], reason="", actor=admin, at=now())


def test_the_address_of_what_was_given_up_is_given_to_nobody(on: Scene, theirs: Outside, admin: User) -> None:
    ids = furnished(theirs, "10.77.20.0/24")
    takeover = taken_over(on, theirs, admin)
    web = takeover.candidates.get(name="web")
    taking_up = Address.objects.get(unit=web.unit).address
    leaving.give_up(takeover=takeover, candidates=[web.uuid], reason="not theirs", actor=admin, at=now())
    work()
    assert not Address.objects.filter(unit=web.unit, released_at=None).exists(), states()
    block = AddressBlock.objects.get(unit=takeover.candidates.get(name="oa-net").unit)
    given = {inventory.reserve_address(block=block, unit=uuid4()).address for _ in range(40)}
    assert taking_up not in given
    assert theirs.cloud.compute.get_server(ids["web"]).name == "web"
    again = taking.take(takeover=takeover, candidates=[web.uuid], actor=admin, at=now())
    assert again.refused == []
    work()
    assert takeover.candidates.get(name="web").status == "taken", states()


def test_a_thing_that_an_order_is_building_cannot_be_taken_over(
    on: Scene, theirs: Outside, admin: User, building: Sandbox
) -> None:
    theirs.volume("spare", size=20)
    takeover = taken_over(on, theirs, admin)
    building.ask("PUT", "/timing", {"volume_seconds": 3})
    approved(on, at=now(), items=(StorageDraft(name="new", zone="private", storage_class="sas", size_gb=10),))
    for volume in iter(lambda: theirs.cloud.volumes.find_volumes(name="new"), None):
        if volume:
            break
        engine.run_due(clock=now, most=1)
    surveyed(on, theirs, admin)
    assert "owned_elsewhere" in obstacles(takeover)["new"]
    building.ask("PUT", "/timing", {"volume_seconds": 0.02})
    work()
    surveyed(on, theirs, admin)
    assert obstacles(takeover)["new"] == ["already_owned"]


def act(on: Scene, resource: Resource, name: str, parameters: object) -> None:
    requests.request(
        resource=resource, action=actions()[name], parameters=parameters, actor=on.applicant, at=now()
    )
    work()
    resource.refresh_from_db()
    assert resource.status == "active", states()


def test_direct_actions_work_on_what_was_taken_over(
    on: Scene, theirs: Outside, admin: User, building: Sandbox
) -> None:
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    ids = furnished(theirs, "10.77.12.0/24")
    taken_over(on, theirs, admin)
    db, data = Resource.objects.get(name="oa-db-01"), Resource.objects.get(name="oa-data")
    act(on, db, "stop", Nothing())
    assert theirs.cloud.compute.get_server(ids["db"]).status == "SHUTOFF"
    act(on, data, "detach", Nothing())
    act(on, db, "start", Nothing())
    act(on, data, "snapshot", Named(name="before"))
    act(on, data, "attach", ToServer(server=db.uuid))
    act(on, db, "rename", NewName(name="oa-db"))
    assert Volume.objects.get(resource=data).server == Server.objects.get(resource=db)
    assert findings(on) == []


def test_what_needs_our_key_is_refused_with_the_reason(on: Scene, theirs: Outside, admin: User) -> None:
    furnished(theirs, "10.77.13.0/24")
    taken_over(on, theirs, admin)
    db, data = Resource.objects.get(name="oa-db-01"), Resource.objects.get(name="oa-data")
    told = {
        each.action.name: each.refusal
        for resource in (db, data)
        for each in requests.possibilities(resource=resource, actor=on.applicant, at=now())
    }
    assert "does not have our key" in told["set-login-keys"]
    assert "does not have our key" in told["rebuild"]
    assert "does not have our key" in told["detach"]
    assert told["stop"] == ""
    on.catalogue.cloud.online_extend = False
    on.catalogue.cloud.save()
    with pytest.raises(Invalids) as refused:
        approved(on, at=now(), items=(ExtendDraft(target=data.uuid, size_gb=600),))
    assert [error.code for error in refused.value.errors] == ["guest-not-managed"]


def test_what_was_taken_over_is_resized_and_extended_by_orders(
    on: Scene, theirs: Outside, admin: User
) -> None:
    ids = furnished(theirs, "10.77.14.0/24")
    taken_over(on, theirs, admin)
    web, data = Resource.objects.get(name="web"), Resource.objects.get(name="oa-data")
    items = (
        ResizeDraft(target=web.uuid, flavor="g.4c8g"),
        ExtendDraft(target=data.uuid, size_gb=600),
    )
    assert built(on, items=items).status == "fulfilled", states()
    assert theirs.cloud.volumes.get_volume(ids["data"]).size_gib == 600
    assert (Server.objects.get(resource=web).flavor.code) == "g.4c8g"
    skipped = Step.objects.filter(state="skipped").values_list("kind", flat=True)
    assert set(skipped) <= {"confirm", "grow", "configure"}
    assert findings(on) == []


def test_a_release_removes_exactly_what_was_taken_over(on: Scene, theirs: Outside, admin: User) -> None:
    ids = furnished(theirs, "10.77.15.0/24")
    taken_over(on, theirs, admin)
    db = Resource.objects.get(name="oa-db-01")
    order = built(on, items=(ReleaseDraft(target=db.uuid, kind="server"),))
    assert order.status == "fulfilled", states()
    assert {server.id for server in theirs.cloud.compute.find_servers()} == {ids["web"]}
    assert {volume.id for volume in theirs.cloud.volumes.find_volumes()} == {ids["spare"]}
    assert used(on) == {"servers": 1, "vcpus": 2, "memory_gb": 4, "storage_gb": 20, "networks": 1}
    assert findings(on) == []


def test_more_is_ordered_and_backed_up_in_the_same_project(on: Scene, theirs: Outside, admin: User) -> None:
    furnished(theirs, "10.77.16.0/24")
    taken_over(on, theirs, admin)
    network = str(Resource.objects.get(name="oa-net").uuid)
    more = replace(SERVERS, name="more", quantity=1, network=network, data_volumes=())
    assert built(on, items=(more, BACKUP)).status == "fulfilled", states()
    work()  # its first backups
    servers = {server.name for server in theirs.cloud.compute.find_servers()}
    assert servers == {"oa-db-01", "web", Resource.objects.get(name__startswith="more", kind="server").name}
    assert len({a.address for a in Address.objects.filter(released_at=None)}) == Address.objects.count()
    assert RecoveryPoint.objects.filter(volume__server__resource__name__startswith="more").exists()
    projects = openstack.connect(cloud="sandbox").identity.find_project(
        name=f"gc-{on.system.code}-{str(on.system.uuid)[:8]}"
    )
    assert projects is None
    assert findings(on) == []


def test_a_backup_ordered_by_itself_covers_what_was_taken_over(
    on: Scene, theirs: Outside, admin: User
) -> None:
    furnished(theirs, "10.77.19.0/24")
    taken_over(on, theirs, admin)
    with pytest.raises(Invalids) as refused:
        approved(on, at=now(), items=(replace(BACKUP, capacity_gb=599),))
    assert [error.code for error in refused.value.errors] == ["backup-capacity-too-small"]
    assert built(on, items=(replace(BACKUP, capacity_gb=600),)).status == "fulfilled", states()
    work()  # its first backups
    backed_up = RecoveryPoint.objects.values_list("volume__resource__name", flat=True)
    assert sorted(backed_up) == ["oa", "oa-data"], states()
    assert findings(on) == []


def test_names_of_the_cloud_are_taken_for_something_of_the_catalogue(
    on: Scene, theirs: Outside, admin: User
) -> None:
    furnished(theirs, "10.77.17.0/24")
    cloud = on.catalogue.cloud
    cloud.flavors.filter(cloud_name="g.2c4g").delete()
    cloud.storage_classes.filter(cloud_name="sas").update(cloud_name="sas-new")
    cloud.images.update(cloud_name="debian-13")
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    assert obstacles(takeover)["web"] == ["flavor_unknown", "image_unknown"]
    for kind, name, code in (
        ("flavor", "g.2c4g", "g.4c8g"), ("image", "debian-12", "debian-12"), ("storage_class", "sas", "sas")
    ):  # fmt: skip
        services.set_equivalent(cloud=cloud, kind=kind, cloud_name=name, code=code, actor=admin, at=now())
    assert obstacles(takeover) == {"web": ["flavor_differs"]}
    services.set_equivalent(
        cloud=cloud, kind="flavor", cloud_name="g.2c4g", code="g.2c4g", actor=admin, at=now()
    )
    assert obstacles(takeover) == {}
    taking.take(takeover=takeover, actor=admin, at=now())
    work()
    assert takeover.candidates.filter(status="taken").count() == 6, states()
    assert findings(on) == []


def test_a_dry_run_foresees_quota_and_price_and_writes_nothing(
    on: Scene, theirs: Outside, admin: User
) -> None:
    furnished(theirs, "10.77.18.0/24")
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    foreseen = taking.foresee(takeover=takeover, at=now())
    takes = {
        effect.dimension: effect.takes for effect in foreseen.quota if effect.department == on.department
    }
    assert takes == {"servers": 2, "vcpus": 6, "memory_gb": 20, "storage_gb": 620, "networks": 1}
    assert str(foreseen.monthly_total) == "894.00"  # 6 vCPU x 46 + 20 GB x 17 + 100 x 0.7 + 520 x 0.4
    assert not Operation.objects.exists()
    assert not Project.objects.exists()


def test_a_survey_takes_a_call_for_each_page_and_not_for_each_thing(
    on: Scene, theirs: Outside, admin: User
) -> None:
    for number in range(9):
        theirs.volume(f"v{number}", size=1)
    assert surveyed(on, theirs, admin).api_calls < 12


def test_the_address_of_what_stayed_and_has_gone_since_is_given_to_others_after_the_next_survey(
    on: Scene, theirs: Outside, admin: User
) -> None:
    ids = furnished(theirs, "10.77.23.0/24")
    takeover = assigned(on, surveyed(on, theirs, admin), admin)
    network = takeover.candidates.get(external_id=ids["network"])
    taking.take(takeover=takeover, candidates=[network.uuid], actor=admin, at=now())
    work()
    settling.settle(at=now())
    of = {port.held_by: port.addresses[0] for port in takeover.ports.all()}
    theirs.cloud.compute.delete_server(ids["web"])
    gone(lambda: theirs.cloud.compute.get_server(ids["web"]))
    reserved = inventory.reserve_address(block=AddressBlock.objects.get(unit=network.unit), unit=uuid4())
    operation = Operation.objects.get()
    Step.objects.create(
        operation=operation, position=99, key="k", kind="port", label="new", unit=reserved.unit
    )
    surveyed(on, theirs, admin)
    kept = set(Address.objects.filter(released_at=None).values_list("address", flat=True))
    assert of[ids["web"]] not in kept
    assert {of[ids["db"]], reserved.address} <= kept


def test_a_project_is_asked_for_by_the_name_that_it_has_now(on: Scene, theirs: Outside, admin: User) -> None:
    """Theirs was renamed when it was replaced by another, which got its name."""
    before = surveyed(on, theirs, admin)
    ours = openstack.connect(cloud="sandbox")
    change = {"project": {"name": f"{theirs.name}-old"}}
    ours._transport.send("identity", "PATCH", f"/projects/{theirs.project}", json=change)
    new = ours.identity.create_project(name=theirs.name)
    asked = services.request(cloud=on.catalogue.cloud, project=theirs.name, actor=admin, at=now())
    assert (asked.project_id, asked.pk) != (theirs.project, before.pk)
    assert asked.project_id == new.id
    services.survey_again(takeover=before, actor=admin, at=now())
    survey.carry_out(survey.take(before, at=now()), clock=now)  # type: ignore[arg-type]
    before.refresh_from_db()
    assert (before.status, before.project_name) == ("surveyed", f"{theirs.name}-old")


def test_a_survey_whose_worker_has_died_is_begun_anew(on: Scene, theirs: Outside, admin: User) -> None:
    theirs.volume("spare", size=20)
    takeover = services.request(cloud=on.catalogue.cloud, project=theirs.project, actor=admin, at=now())
    dead = survey.take(takeover, at=now())
    assert dead is not None
    assert survey.take(takeover, at=now()) is None
    later = now() + timedelta(minutes=6)
    again = survey.take(takeover, at=later)
    assert again is not None
    survey.carry_out(again, clock=lambda: later)
    survey.carry_out(dead, clock=now)  # wakes up, and finds that it has been taken for dead
    takeover.refresh_from_db()
    assert (takeover.status, takeover.surveyed_at) == ("surveyed", later)
    assert takeover.candidates.count() == 1
