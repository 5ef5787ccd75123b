"""Taking over what was built outside, as a cloud administrator asks for it, and as others cannot."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from govcloud import clock
from govcloud.audit.models import Event
from govcloud.gateways.openstack import errors
from govcloud.inventory.models import Project
from govcloud.provisioning.models import Operation
from govcloud.quotas.models import QuotaAccount
from govcloud.takeover.models import Candidate, Takeover
from tenants.models import Role, User
from tests.api.conftest import ROOT
from tests.factories.catalog import CloudFactory
from tests.factories.inventory import AddressBlockFactory, NetworkFactory, ProjectFactory
from tests.factories.orders import Scene, scene
from tests.factories.takeovers import CandidateFactory, TakeoverFactory
from tests.factories.tenants import SystemFactory, member


@pytest.fixture
def admin(signed_in: Callable[[User], APIClient]) -> APIClient:
    return signed_in(member(Role.CLOUD_ADMIN))


@pytest.fixture
def on(db: None) -> Scene:
    return scene(level_3=False)


@pytest.fixture
def takeover(on: Scene) -> Takeover:
    return TakeoverFactory(cloud=on.catalogue.cloud)


def url(takeover: Takeover, what: str = "") -> str:
    return f"{ROOT}/takeovers/{takeover.uuid}{what and '/' + what}"


def assigned(admin: APIClient, takeover: Takeover, on: Scene, **terms: Any) -> Any:
    body = {"system": str(on.system.uuid), "zone": "private", **terms}
    return admin.put(url(takeover, "assignment"), body)


def test_a_project_is_assigned_foreseen_and_taken_over(
    admin: APIClient, takeover: Takeover, on: Scene
) -> None:
    network = CandidateFactory(takeover=takeover)
    answer = assigned(admin, takeover, on).json()
    assert (answer["system"]["code"], answer["zone"], answer["found"]) == (on.system.code, "private", 1)
    foreseen = admin.get(url(takeover, "foresight")).json()
    assert [each["external_id"] for each in foreseen["coming"]] == [network.external_id]
    assert [(each["dimension"], each["takes"]) for each in foreseen["quota"]] == [("networks", 1)]
    assert foreseen["monthly_total"] == "0.00"
    begun = admin.post(url(takeover, "taking"), {})
    assert begun.status_code == 202
    assert [each["status"] for each in begun.json()["begun"]] == ["taking"]
    assert Operation.objects.get(uuid=begun.json()["operation"]).kind == "takeover"
    assert QuotaAccount.objects.get(department=on.department, dimension="networks").held == 1


def test_what_is_being_taken_over_is_not_taken_over_again(
    admin: APIClient, takeover: Takeover, on: Scene
) -> None:
    network = CandidateFactory(takeover=takeover)
    assigned(admin, takeover, on)
    assert admin.post(url(takeover, "taking"), {}).status_code == 202
    again = admin.post(url(takeover, "taking"), {"candidates": [str(network.uuid)]})
    assert (again.status_code, again.json()["code"]) == (409, "candidate-not-open")
    rest = admin.post(url(takeover, "taking"), {})
    assert (rest.status_code, rest.json()["code"]) == (409, "nothing-to-take-over")
    assert Operation.objects.count() == 1


def test_what_is_owned_already_is_refused_and_nothing_is_written(
    admin: APIClient, takeover: Takeover, on: Scene
) -> None:
    ours = NetworkFactory(resource__cloud=takeover.cloud).resource
    candidate = CandidateFactory(takeover=takeover, external_id=ours.external_id)
    assigned(admin, takeover, on)
    refused = admin.post(url(takeover, "taking"), {"candidates": [str(candidate.uuid)]})
    assert (refused.status_code, refused.json()["code"]) == (409, "already-owned")
    assert ours.system.code in refused.json()["detail"]
    listed = admin.get(f"{ROOT}/takeover-candidates", {"obstacle": "already_owned"}).json()["results"]
    assert [each["uuid"] for each in listed] == [str(candidate.uuid)]
    assert listed[0]["obstacles"][0]["title"] == "it belongs to a system already"
    assert not Project.objects.filter(system=on.system).exists()


def test_one_of_several_that_cannot_come_is_told_and_the_others_begin(
    admin: APIClient, takeover: Takeover, on: Scene
) -> None:
    block = AddressBlockFactory(cloud=takeover.cloud)
    bad = CandidateFactory(takeover=takeover, cidr=block.cidr, gateway=block.cidr.split("/")[0])
    good = CandidateFactory(takeover=takeover)
    assigned(admin, takeover, on)
    begun = admin.post(url(takeover, "taking"), {"candidates": [str(bad.uuid), str(good.uuid)]}).json()
    assert [each["uuid"] for each in begun["begun"]] == [str(good.uuid)]
    assert [(each["candidate"], each["code"]) for each in begun["refused"]] == [
        (str(bad.uuid), "cannot-be-taken-over")
    ]


@pytest.mark.parametrize(
    ("terms", "refused"),
    [
        ({"zone": "moon"}, (422, "invalid")),
        ({"system": str(uuid4())}, (404, "not-found")),
        ({"billing_start": "2020-01-01T00:00:00Z"}, (422, "not-in-the-future")),
        ({"lease_end": "2020-01-01T00:00:00Z"}, (422, "not-in-the-future")),
    ],
)
def test_what_cannot_be_assigned_is_refused(
    admin: APIClient, takeover: Takeover, on: Scene, terms: dict[str, Any], refused: tuple[int, str]
) -> None:
    answer = assigned(admin, takeover, on, **terms)
    assert (answer.status_code, answer.json()["code"]) == refused
    takeover.refresh_from_db()
    assert takeover.system is None


def test_a_project_of_another_system_is_refused(admin: APIClient, takeover: Takeover, on: Scene) -> None:
    other = SystemFactory(department=on.department)
    ProjectFactory(system=other, cloud=takeover.cloud, external_id=takeover.project_id)
    refused = assigned(admin, takeover, on)
    assert (refused.status_code, refused.json()["code"]) == (409, "project-of-another-system")
    assert other.code in refused.json()["detail"]


def test_a_system_with_another_project_is_refused(admin: APIClient, takeover: Takeover, on: Scene) -> None:
    ProjectFactory(system=on.system, cloud=takeover.cloud)
    assert assigned(admin, takeover, on).json()["code"] == "system-has-another-project"


def test_a_zone_that_the_cloud_does_not_offer_is_refused(
    admin: APIClient, takeover: Takeover, on: Scene
) -> None:
    takeover.cloud.zones.filter(zone="private").delete()
    assert assigned(admin, takeover, on).json()["code"] == "zone-not-on-cloud"


def test_nothing_is_taken_over_before_it_is_surveyed_and_assigned(
    admin: APIClient, takeover: Takeover, on: Scene
) -> None:
    assert admin.post(url(takeover, "taking"), {}).json()["code"] == "takeover-not-assigned"
    assert admin.get(url(takeover, "foresight")).json()["code"] == "takeover-not-assigned"
    assert admin.post(url(takeover, "survey")).status_code == 202
    assert admin.post(url(takeover, "survey")).json()["code"] == "survey-under-way"
    assert assigned(admin, takeover, on).status_code == 200
    assert admin.post(url(takeover, "taking"), {}).json()["code"] == "takeover-not-surveyed"


def test_a_name_is_chosen_that_nothing_else_has(admin: APIClient, takeover: Takeover, on: Scene) -> None:
    one, other = CandidateFactory(takeover=takeover), CandidateFactory(takeover=takeover)
    where = f"{ROOT}/takeover-candidates/{one.uuid}"
    assert admin.patch(where, {"name": "office"}).json()["name"] == "office"
    assert admin.patch(where, {"name": other.name}).json()["code"] == "name-taken"
    assert admin.patch(where, {"name": "Not So"}).status_code in {400, 422}
    assert Candidate.objects.get(pk=one.pk).name == "office"
    assert Event.objects.get(verb="candidate.renamed").after == {"name": "office"}


def test_an_equivalent_is_set_and_replaced(admin: APIClient, takeover: Takeover, on: Scene) -> None:
    body = {"cloud": "sandbox", "kind": "flavor", "cloud_name": "m1.large", "code": "g.4c16g"}
    first = admin.post(f"{ROOT}/equivalents", body)
    assert (first.status_code, first.json()["flavor"]) == (201, "g.4c16g")
    second = admin.post(f"{ROOT}/equivalents", {**body, "code": "g.8c32g"})
    assert (second.json()["uuid"], second.json()["flavor"]) == (first.json()["uuid"], "g.8c32g")
    unknown = admin.post(f"{ROOT}/equivalents", {**body, "code": "z.9"})
    assert unknown.json()["code"] == "equivalent-not-in-catalogue"
    assert admin.get(f"{ROOT}/equivalents").json()["count"] == 1


def test_what_was_not_taken_over_is_not_given_up(admin: APIClient, takeover: Takeover, on: Scene) -> None:
    network = CandidateFactory(takeover=takeover)
    assigned(admin, takeover, on)
    body = {"candidates": [str(network.uuid)], "reason": "wrong"}
    refused = admin.post(url(takeover, "giving-up"), body)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-taken-over")


def test_a_later_billing_start_is_kept(admin: APIClient, takeover: Takeover, on: Scene) -> None:
    start = (clock.now() + timedelta(days=3)).isoformat()
    assert assigned(admin, takeover, on, billing_start=start).json()["billing_start"] is not None


def test_a_cloud_that_does_not_answer_is_told_apart_from_an_unknown_one(admin: APIClient) -> None:
    CloudFactory(code="sandbox")
    silent = admin.post(f"{ROOT}/takeovers", {"cloud": "sandbox", "project": "oa"})
    assert (silent.status_code, silent.json()["code"]) == (503, "cloud-silent")
    unknown = admin.post(f"{ROOT}/takeovers", {"cloud": "elsewhere", "project": "oa"})
    assert unknown.status_code == 404


def test_credentials_that_are_refused_are_told_apart_from_silence(
    admin: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_how: object) -> None:
        raise errors.Unauthorized("wrong password", service="identity")

    monkeypatch.setattr("govcloud.clouds.access.connect", refused)
    CloudFactory(code="sandbox")
    answer = admin.post(f"{ROOT}/takeovers", {"cloud": "sandbox", "project": "oa"})
    assert (answer.status_code, answer.json()["code"]) == (409, "cloud-refuses-credentials")
    assert not Takeover.objects.exists()


def test_candidates_are_exported(admin: APIClient, takeover: Takeover) -> None:
    network = CandidateFactory(takeover=takeover)
    answer = admin.get(f"{ROOT}/takeover-candidates", {"takeover": str(takeover.uuid), "format": "csv"})
    assert network.external_id in b"".join(answer.streaming_content).decode("utf-8-sig")


@pytest.mark.parametrize("role", [Role.APPLICANT, Role.UNIT_APPROVER, Role.SYSTEM_ADMIN])
def test_others_neither_see_nor_take_over(
    role: Role, takeover: Takeover, on: Scene, signed_in: Callable[[User], APIClient]
) -> None:
    client = signed_in(member(role, on.department))
    assert client.get(f"{ROOT}/takeovers").status_code == 403
    assert client.get(url(takeover)).status_code == 403
    assert client.post(url(takeover, "taking"), {}).status_code == 403
