"""Passes and findings as a cloud administrator sees them, and as others do not."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.gateways.openstack import errors
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation.balances import ledger
from govcloud.reconciliation.findings import note
from govcloud.reconciliation.models import Finding, Sweep
from govcloud.reconciliation.remedies import carry_out
from govcloud.reconciliation.vocabulary import Remedy, SubjectKind
from tenants.models import Role, User
from tests.api.conftest import ROOT
from tests.factories.catalog import CloudFactory
from tests.factories.quotas import opened
from tests.factories.reconciliation import FindingFactory, SweepFactory
from tests.factories.tenants import BEGINNING, DepartmentFactory, member


@pytest.fixture
def admin(signed_in: Callable[[User], APIClient]) -> APIClient:
    return signed_in(member(Role.CLOUD_ADMIN))


def url(finding: Finding, what: str = "") -> str:
    return f"{ROOT}/findings/{finding.uuid}{what and '/' + what}"


def miscounted() -> Finding:
    """An account that says more than what stands."""
    department = DepartmentFactory()
    opened(department)
    QuotaAccount.objects.filter(department=department, dimension="vcpus").update(used=3)
    observed = ledger()
    note(cloud=None, subject=SubjectKind.ACCOUNT, looked_at=[], observations=observed, at=BEGINNING)
    return Finding.objects.get()


def test_a_finding_tells_what_was_expected_and_found_in_the_readers_language(admin: APIClient) -> None:
    finding = FindingFactory(renamed=True)
    answer = admin.get(url(finding)).json()
    assert answer["differences"] == [
        {"field": "name", "title": "name", "expected": "app-1", "found": "renamed"}
    ]
    assert (answer["remedy"], answer["possible"]) == ("set_back", ["set_back", "adopt"])
    assert answer["title"] == "set the cloud back to the record"
    assert answer["resource"] == str(finding.resource.uuid)
    chinese = admin.get(url(finding), headers={"Accept-Language": "zh-hans"}).json()
    assert chinese["differences"][0]["title"] == "名称"


def test_what_was_opened_by_hand_can_be_taken_out_or_stay(admin: APIClient) -> None:
    finding = FindingFactory(opened=True)
    FindingFactory()
    (answer,) = admin.get(f"{ROOT}/findings", {"subject": "security_rule"}).json()["results"]
    assert (answer["remedy"], answer["possible"]) == ("clear_away", ["clear_away", "adopt"])
    assert (answer["name"], answer["resource"]) == ("tcp 22 0.0.0.0/0", str(finding.resource.uuid))
    assert answer["differences"] == [
        {"field": "origin", "title": "from where", "expected": "", "found": "0.0.0.0/0"}
    ]


def test_findings_are_filtered_searched_and_exported(admin: APIClient) -> None:
    renamed, foreign = FindingFactory(renamed=True, name="app-1"), FindingFactory()
    listed = admin.get(f"{ROOT}/findings", {"kind": "drifted", "status": "open", "search": "app"}).json()
    assert [row["uuid"] for row in listed["results"]] == [str(renamed.uuid)]
    by_system = admin.get(f"{ROOT}/findings", {"system": str(foreign.system.uuid)}).json()
    assert [row["uuid"] for row in by_system["results"]] == [str(foreign.uuid)]
    exported = b"".join(admin.get(f"{ROOT}/findings", {"format": "csv"}).streaming_content).decode(
        "utf-8-sig"
    )
    assert renamed.external_id in exported
    assert '""found"": ""renamed""' in exported


@pytest.mark.parametrize("role", [Role.APPLICANT, Role.UNIT_APPROVER])
def test_a_department_sees_no_findings(role: Role, signed_in: Callable[[User], APIClient]) -> None:
    finding = FindingFactory()
    client = signed_in(member(role, finding.system.department))
    assert client.get(f"{ROOT}/findings").status_code == 403
    assert client.get(url(finding)).status_code == 403
    assert client.get(f"{ROOT}/sweeps").status_code == 403


def test_what_is_only_ours_is_put_right_at_once(admin: APIClient) -> None:
    finding = miscounted()
    answer = admin.post(url(finding, "application"))
    assert (answer.status_code, answer.json()["status"]) == (200, "resolved")
    assert QuotaAccount.objects.get(dimension="vcpus").used == 0
    history = admin.get(url(finding, "history")).json()["results"]
    assert [event["verb"] for event in history] == ["finding.open", "finding.resolved"]
    assert admin.post(url(finding, "application")).json()["code"] == "wrong-state"


def test_a_stale_finding_answers_409_and_is_resolved_all_the_same(admin: APIClient) -> None:
    finding = miscounted()
    QuotaAccount.objects.filter(dimension="vcpus").update(used=0)
    answer = admin.post(url(finding, "application"))
    assert (answer.status_code, answer.json()["code"]) == (409, "finding-is-stale")
    finding.refresh_from_db()
    assert finding.status == "resolved"
    assert (
        Event.objects.get(verb="finding.resolved", subject_id=finding.uuid).after["why"] == "finding-is-stale"
    )


@pytest.mark.parametrize(("what", "body"), [("application", {}), ("dismissal", {"reason": "known"})])
def test_what_a_finding_says_is_decided_only_as_it_was_read(
    admin: APIClient, what: str, body: dict[str, str]
) -> None:
    finding = FindingFactory(renamed=True)
    mark = admin.get(url(finding)).json()["mark"]
    finding.differences.update(found="something-else")
    answer = admin.post(url(finding, what), {**body, "mark": mark})
    assert (answer.status_code, answer.json()["code"]) == (409, "finding-changed")
    finding.refresh_from_db()
    assert finding.status == "open"
    read_again = {**body, "mark": admin.get(url(finding)).json()["mark"]}
    expected = {"application": (503, "cloud-silent"), "dismissal": (200, None)}
    answer = admin.post(url(finding, what), read_again)
    assert (answer.status_code, answer.json().get("code")) == expected[what]


def test_a_cloud_that_refuses_our_credentials_is_not_asked_again_by_itself(
    admin: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_how: object) -> None:
        raise errors.Unauthorized("wrong password", service="identity")

    monkeypatch.setattr("govcloud.clouds.access.connect", refused)
    finding = FindingFactory(renamed=True)
    answer = admin.post(url(finding, "application"))
    assert (answer.status_code, answer.json()["code"]) == (409, "cloud-refuses-credentials")
    finding.refresh_from_db()
    assert finding.status == "open"


def test_a_cloud_that_cannot_be_asked_answers_503_and_changes_nothing(admin: APIClient) -> None:
    finding = FindingFactory(renamed=True)
    answer = admin.post(url(finding, "application"))
    assert (answer.status_code, answer.json()["code"]) == (503, "cloud-silent")
    finding.refresh_from_db()
    assert finding.status == "open"


def test_only_what_is_possible_can_be_asked_for(admin: APIClient) -> None:
    foreign, renamed = FindingFactory(), FindingFactory(renamed=True)
    assert admin.post(url(foreign, "application")).json()["code"] == "nothing-to-apply"
    refused = admin.post(url(renamed, "application"), {"remedy": "clear_away"}).json()
    assert refused["code"] == "remedy-not-possible"
    assert [error["pointer"] for error in refused["errors"]] == ["/remedy"]
    assert admin.post(url(renamed, "application"), {"remedy": "burn"}).status_code in {400, 422}


@pytest.mark.parametrize("status", ["suspected", "applying", "dismissed"])
def test_in_these_states_nothing_is_applied(status: str, admin: APIClient) -> None:
    finding = FindingFactory(renamed=True, status=status)
    answer = admin.post(url(finding, "application"))
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong-state")


def test_a_finding_is_dismissed_with_a_reason(admin: APIClient) -> None:
    finding = FindingFactory()
    assert admin.post(url(finding, "dismissal"), {}).status_code in {400, 422}
    answer = admin.post(url(finding, "dismissal"), {"reason": "agreed with them"}).json()
    assert (answer["status"], answer["remark"]) == ("dismissed", "agreed with them")
    assert answer["decided_by"]
    assert admin.post(url(finding, "dismissal"), {"reason": "again"}).status_code == 409


def test_a_pass_is_asked_for_and_one_at_a_time(admin: APIClient) -> None:
    CloudFactory(code="sandbox")
    answer = admin.post(f"{ROOT}/sweeps", {"cloud": "sandbox", "extent": "incremental"})
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["extent"]) == ("due", "incremental")
    assert admin.get(answer.headers["Location"]).json()["uuid"] == answer.json()["uuid"]
    again = admin.post(f"{ROOT}/sweeps", {"cloud": "sandbox"})
    assert (again.status_code, again.json()["code"]) == (409, "sweep-under-way")
    unknown = admin.post(f"{ROOT}/sweeps", {"cloud": "elsewhere"})
    assert unknown.status_code == 404


def test_everything_is_read_when_that_was_long_ago(admin: APIClient, settings: object) -> None:
    from govcloud import clock  # noqa: PLC0415

    cloud = CloudFactory(code="sandbox")
    SweepFactory(cloud=cloud, requested_at=clock.now() - timedelta(hours=5))
    assert admin.post(f"{ROOT}/sweeps", {"cloud": "sandbox"}).json()["extent"] == "incremental"
    Sweep.objects.all().delete()
    SweepFactory(cloud=cloud, requested_at=clock.now() - timedelta(hours=7))
    assert admin.post(f"{ROOT}/sweeps", {"cloud": "sandbox"}).json()["extent"] == "full"


def test_the_operation_that_puts_a_finding_right_tells_the_chosen_remedy(admin: APIClient) -> None:
    finding = FindingFactory(renamed=True, remedy="adopt")
    actor = member(Role.CLOUD_ADMIN)
    started, _done = carry_out(finding=finding, remedy=Remedy.SET_BACK, actor=actor, at=BEGINNING)
    assert started is not None
    answer = admin.get(f"{ROOT}/operations/{started.uuid}")
    assert (answer.status_code, answer.json()["action"]) == (200, "set_back")
    assert answer.json()["resource"] == str(finding.resource.uuid)
    (row,) = admin.get(f"{ROOT}/operations", {"resource": str(finding.resource.uuid)}).json()["results"]
    assert row["action"] == "set_back"
