"""The passes over the clouds, and asking for one."""

import io
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from govcloud.audit.models import Event
from govcloud.portal.findings import passes
from govcloud.reconciliation.models import Sweep
from tenants.models import Role
from tests.factories.catalog import CloudFactory
from tests.factories.reconciliation import SweepFactory
from tests.factories.tenants import member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

URL = "/findings/passes/"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


def test_readers_see_what_each_looked_at_and_cost(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    cloud = people.catalogue.cloud
    SweepFactory(
        cloud=cloud,
        servers=4,
        requested_at=at - timedelta(minutes=5),
        objects_seen=1_234,
        api_calls=56,
        findings_opened=7,
    )
    supervisor = signed_in(member(Role.SUPERVISOR))
    assert f'href="{URL}"' in supervisor.get("/findings/").content.decode()
    page = text(supervisor.get(URL))
    for words in ("everything", "1,234", "56", "8.0 s", "33 min 20 s", " 7 ", "done"):
        assert words in page
    assert "Compare now" not in page


def test_others_may_not(people: scenes.Cast, signed_in: Signed) -> None:
    applicant = signed_in(people.applicant)
    assert applicant.get(URL).status_code == 403
    supervisor = signed_in(member(Role.SUPERVISOR))
    assert supervisor.post(URL, {"cloud": people.catalogue.cloud.code}).status_code == 403
    assert not Sweep.objects.exists()


@pytest.mark.parametrize(("extent", "told"), [("", "full"), ("incremental", "incremental")])
def test_one_is_asked_for_now(people: scenes.Cast, signed_in: Signed, extent: str, told: str) -> None:
    admin, cloud = signed_in(people.admin), people.catalogue.cloud
    answer = admin.post(URL, {"cloud": cloud.code, "extent": extent})
    assert (answer.status_code, answer["Location"]) == (302, URL)
    asked = Sweep.objects.get()
    assert (asked.cloud, asked.extent, asked.status) == (cloud, told, "due")
    assert Event.objects.get(verb="sweep.requested").actor == f"user:{people.admin.uuid}"
    assert "about to start" in text(admin.get(URL))


def test_a_second_one_meanwhile_is_refused(people: scenes.Cast, signed_in: Signed) -> None:
    admin, asked = signed_in(people.admin), {"cloud": people.catalogue.cloud.code, "extent": "full"}
    admin.post(URL, asked)
    refused = admin.post(URL, asked)
    assert (refused.status_code, "compared with the records already" in text(refused)) == (409, True)
    assert Sweep.objects.count() == 1


def test_what_there_is_not_is_not_compared(people: scenes.Cast, signed_in: Signed) -> None:
    admin = signed_in(people.admin)
    assert admin.post(URL, {"cloud": "nowhere\0"}).status_code == 404
    assert admin.post(URL, {"cloud": people.catalogue.cloud.code, "extent": "half"}).status_code == 404


def test_one_that_failed_tells_why_and_many_cost_the_same(people: scenes.Cast, signed_in: Signed) -> None:
    admin = signed_in(people.admin)
    SweepFactory(cloud=people.catalogue.cloud, status="failed", failure="its worker is gone")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert "its worker is gone" in text(admin.get(URL))
        return len(queries)

    cost()  # the first visit of a session asks for more
    before = cost()
    for number in range(5):
        SweepFactory(cloud=CloudFactory(code=f"east-{number}"))
    assert cost() == before


def test_it_is_narrowed_by_cloud_days_and_end(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    admin, main = signed_in(people.admin), people.catalogue.cloud
    east = CloudFactory(code="east")
    SweepFactory(cloud=main, requested_at=at - timedelta(days=3), objects_seen=1_001)
    SweepFactory(cloud=main, requested_at=at, status="failed", failure="refuses us", objects_seen=2_002)
    SweepFactory(cloud=east, requested_at=at, objects_seen=3_003)
    day = timezone.localdate(at).isoformat()
    seen = {
        query: {figure for figure in ("1,001", "2,002", "3,003") if figure in text(admin.get(f"{URL}{query}"))}
        for query in (
            "", "?cloud=east", "?cloud=nowhere", f"?first={day}", f"?last={day}&cloud={main.code}", "?view=failed",
            "?first=soon", "?view=failed&cloud=east",
        )
    }  # fmt: skip
    every = {"1,001", "2,002", "3,003"}
    assert seen == {
        "": every,
        "?cloud=east": {"3,003"},
        "?cloud=nowhere": every,
        f"?first={day}": {"2,002", "3,003"},
        f"?last={day}&cloud={main.code}": {"1,001", "2,002"},
        "?view=failed": {"2,002"},
        "?first=soon": every,
        "?view=failed&cloud=east": set(),
    }


def test_the_list_as_a_file(
    people: scenes.Cast, signed_in: Signed, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    SweepFactory(status="failed", failure="=refuses us", requested_at=at - timedelta(days=1))
    SweepFactory(cloud=people.catalogue.cloud, requested_at=at, servers=16, api_calls=9)
    supervisor = signed_in(member(Role.SUPERVISOR))
    lines = supervisor.get(f"{URL}export.csv").content.decode("utf-8-sig").splitlines()
    assert lines[0].startswith(
        "Cloud,Asked for,Began,Finished,Extent,Servers,Looked at,Calls,Seconds,Seconds per thou"
    )
    assert ",16,0,9,8.0,500.0,0,0,done," in lines[1]
    assert lines[2].endswith(",failed,'=refuses us")
    failed = supervisor.get(f"{URL}export.xlsx?view=failed")
    assert [row[-1].value for row in load_workbook(io.BytesIO(failed.content)).active] == [
        "Reason",
        "=refuses us",
    ]
    assert Event.objects.filter(verb="list.exported", subject_label="comparisons").count() == 2
    monkeypatch.setattr(passes, "MOST_IN_A_FILE", 1)
    too_long = supervisor.get(f"{URL}export.csv")
    assert (too_long.status_code, "Narrow it first" in text(too_long)) == (409, True)
    assert supervisor.get(f"{URL}export.csv?view=failed").status_code == 200
    assert signed_in(people.applicant).get(f"{URL}export.csv").status_code == 403


def test_in_chinese(people: scenes.Cast, signed_in: Signed) -> None:
    SweepFactory(cloud=people.catalogue.cloud)
    page = text(signed_in(people.admin, language="zh-hans").get(URL))
    for words in ("与云核对", "立即核对", "每千台服务器耗时", "新增发现"):
        assert words in page
