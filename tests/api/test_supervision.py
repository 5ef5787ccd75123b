"""Cards, figures, the appraisal and the calendar as callers see them."""

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from govcloud.approvals import services as approvals
from govcloud.audit.models import Event
from govcloud.calendars.models import SpecialDay
from tenants.models import Role, User
from tests.factories.approvals import case_of, chain
from tests.factories.supervision import decided_by_chain, overdue
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def supervisor(signed_in: SignedIn) -> APIClient:
    return signed_in(member(Role.SUPERVISOR))


def sheet(client: APIClient, content: bytes, **fields: Any) -> Any:
    file = SimpleUploadedFile("2027.csv", content)
    return client.post("/api/v1/calendar-sheet", {"file": file, **fields}, format="multipart")


# -- cards and figures


def test_cards_are_narrowed_and_a_department_sees_those_of_its_own_matters(
    signed_in: SignedIn, supervisor: APIClient, at: datetime
) -> None:
    people = chain()
    case = overdue(people, at=at)
    (whole, step) = supervisor.get("/api/v1/supervision-cards?colour=red").json()["results"]
    assert (step["stage"], step["role"], step["case"]) == ("unit_approval", "unit_approver", str(case.uuid))
    assert (whole["stage"], whole["order"]) == (None, str(case.subject_id))
    assert supervisor.get("/api/v1/supervision-cards?cause=reason").json()["count"] == 0
    assert signed_in(people.applicant).get("/api/v1/supervision-cards").json()["count"] == 2
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get("/api/v1/supervision-cards").json()["count"] == 0
    assert stranger.get(f"/api/v1/supervision-cards/{step['uuid']}").status_code == 404


def test_figures_are_those_of_this_month_unless_others_are_asked_for(
    supervisor: APIClient, at: datetime
) -> None:
    people = chain()
    decided_by_chain(case_of(people, at=at), people, at=at, verb="reject", opinion="不符")
    url = "/api/v1/supervision-statistics"
    now = supervisor.get(url).json()
    assert [row["closed"] for row in now["matters"] if row["kind"] == "committed"] == [1]
    assert now["stages"][0]["code"] == "unit_approval"
    before = {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}
    assert supervisor.get(url, before).json()["stages"] == []
    elsewhere = {"department": str(DepartmentFactory().uuid)}
    assert supervisor.get(url, elsewhere).json()["stages"] == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"start": "soon"}, "start"),
        ({"start": "2027-01-01T00:00:00Z"}, "end"),
        ({"month": "2026-11"}, "month"),
        ({"department": "x"}, "department"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(
    supervisor: APIClient, query: dict[str, str], parameter: str
) -> None:
    answer = supervisor.get("/api/v1/supervision-statistics", query)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")
    assert answer.json()["params"]["parameter"] == parameter


def test_the_appraisal_is_a_workbook_for_supervisors_and_leaders(
    signed_in: SignedIn, supervisor: APIClient, at: datetime
) -> None:
    overdue(at=at)
    answer = supervisor.get("/api/v1/appraisal-sheets/2026-11", headers={"Accept-Language": "zh-hans"})
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    assert book.sheetnames == ["分单位", "分城市", "红黄牌"]
    assert Event.objects.get(verb="appraisal.exported").subject_label == "2026-11"
    assert signed_in(member(Role.FINANCE)).get("/api/v1/appraisal-sheets/2026-11").status_code == 403
    assert supervisor.get("/api/v1/appraisal-sheets/2026-13").status_code == 404


def test_a_case_tells_of_its_pauses(signed_in: SignedIn, supervisor: APIClient, at: datetime) -> None:
    people = chain()
    case = decided_by_chain(case_of(people, at=at), people, at=at, verb="return", opinion="补充材料")
    url = f"/api/v1/cases/{case.uuid}"
    (pause,) = supervisor.get(url).json()["pauses"]
    assert (datetime.fromisoformat(pause["since"]), pause["until"]) == (at, None)
    later = at + timedelta(days=2)
    case_of(people, at=later, subject_id=case.subject_id, revision=2, revision_hash="b" * 64)
    (pause,) = supervisor.get(url).json()["pauses"]
    assert datetime.fromisoformat(pause["until"]) == later


def test_the_last_pause_ends_with_the_case(signed_in: SignedIn, supervisor: APIClient, at: datetime) -> None:
    people = chain()
    case = decided_by_chain(case_of(people, at=at), people, at=at, verb="return", opinion="补充材料")
    later = at + timedelta(days=2)
    approvals.withdraw(case=case, actor=people.applicant, at=later)
    (pause,) = supervisor.get(f"/api/v1/cases/{case.uuid}").json()["pauses"]
    assert datetime.fromisoformat(pause["until"]) == later


def test_a_step_that_was_not_decided_has_cards_and_no_days(supervisor: APIClient, at: datetime) -> None:
    overdue(at=at)
    (step,) = supervisor.get("/api/v1/supervision-statistics").json()["stages"]
    assert (step["decided"], step["median_days"], step["mean_days"], step["red"]) == (0, None, None, 1)


# -- the calendar


def test_the_system_administrator_keeps_the_calendar_and_everybody_reads_it(signed_in: SignedIn) -> None:
    admin, reader = signed_in(member(Role.SYSTEM_ADMIN)), signed_in(member(Role.CLOUD_ADMIN))
    url, body = "/api/v1/special-days/2027-02-06", {"kind": "work", "name": "春节"}
    assert reader.put(url, body).status_code == 403
    assert admin.put(url, body).json() == {"day": "2027-02-06", "kind": "work", "name": "春节"}
    assert reader.get("/api/v1/special-days?year=2027").json()["count"] == 1
    assert reader.get(url).json()["kind"] == "work"
    assert reader.delete(url).status_code == 403
    assert (admin.delete(url).status_code, admin.delete(url).status_code) == (204, 404)
    assert admin.put("/api/v1/special-days/2027-02-08", body).json()["code"] == "invalid"
    assert admin.put("/api/v1/special-days/2027-02-30", body).status_code == 404


def test_a_file_is_looked_at_first_and_taken_in_when_told_to(signed_in: SignedIn) -> None:
    admin = signed_in(member(Role.SYSTEM_ADMIN))
    content = "日期,类型,名称\n2027-02-06,班,春节\n".encode()
    looked = sheet(admin, content)
    assert (looked.status_code, looked.json()["added"], looked.json()["taken_in"]) == (200, 1, False)
    assert not SpecialDay.objects.exists()
    done = sheet(admin, content, dry_run="false").json()
    assert (done["added"], done["taken_in"]) == (1, True)
    assert SpecialDay.objects.count() == 1


def test_wrong_lines_are_named_in_the_language_of_the_answer(signed_in: SignedIn) -> None:
    admin = signed_in(member(Role.SYSTEM_ADMIN))
    answer = sheet(admin, "日期,类型,名称\nsoon,班,春节\n".encode(), dry_run="false").json()
    assert not answer["taken_in"]
    assert Event.objects.get(verb="request.refused").reason == "bad-calendar-day"
    assert answer["row_errors"] == [
        {
            "line": 2,
            "code": "bad-calendar-day",
            "detail": "“soon” is no date from 2000 to 2099 written as 2026-10-01.",
        }
    ]


def test_what_is_no_file_is_refused(signed_in: SignedIn) -> None:
    admin = signed_in(member(Role.SYSTEM_ADMIN))
    assert sheet(admin, b"%PDF\xff").json()["code"] == "calendar-file-unreadable"
    assert admin.post("/api/v1/calendar-sheet", {}).status_code == 415
    assert sheet(signed_in(member(Role.LEADER)), b"a,b,c").status_code == 403
