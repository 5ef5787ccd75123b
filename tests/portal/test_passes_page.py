"""The passes over the clouds, and asking for one."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from govcloud.audit.models import Event
from govcloud.reconciliation.models import Sweep
from tenants.models import Role
from tests.factories.catalog import CloudFactory
from tests.factories.inventory import ServerFactory
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
    for _number in range(4):
        ServerFactory(resource__cloud=cloud, resource__built_at=at - timedelta(days=9))
    SweepFactory(
        cloud=cloud,
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


def test_in_chinese(people: scenes.Cast, signed_in: Signed) -> None:
    SweepFactory(cloud=people.catalogue.cloud)
    page = text(signed_in(people.admin, language="zh-hans").get(URL))
    for words in ("与云核对", "立即核对", "每千台服务器耗时", "新增发现"):
        assert words in page
