"""The engine's page: who may open it, what it shows to whom, and what it says needs attention."""

from datetime import datetime, timedelta

import pytest

from govcloud.catalog.models import Cloud
from govcloud.gateways.openstack import Exchange
from govcloud.orders.models import Placement, Weighed
from govcloud.portal.templatetags.portal import span
from govcloud.provisioning import presence, traffic
from govcloud.provisioning.models import Operation
from tenants.models import Role
from tests.factories.catalog import CloudFactory
from tests.factories.clouds import differing, healthy
from tests.factories.inventory import VolumeFactory
from tests.factories.reconciliation import SweepFactory
from tests.factories.tenants import member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text
from tests.unit.provisioning.scripted import operation

URL = "/engine/"
WELL = "Nothing needs your attention."


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def _well(db: None, at: datetime) -> None:
    presence.worker_seen(name="celery@one", at=at)
    presence.sweep_seen(at=at)


@pytest.mark.parametrize("role", [Role.CLOUD_ADMIN, Role.SYSTEM_ADMIN, Role.SUPERVISOR])
def test_operators_find_it_in_the_navigation(people: scenes.Cast, signed_in: Signed, role: Role) -> None:
    browser = signed_in(member(role))
    assert 'href="/engine/"' in browser.get("/orders/").content.decode()
    assert browser.get(URL).status_code == 200


def test_others_neither_see_nor_may_open_it(people: scenes.Cast, signed_in: Signed) -> None:
    for person in (people.applicant, people.approver, people.desk):
        browser = signed_in(person)
        assert 'href="/engine/"' not in browser.get("/orders/").content.decode()
        assert browser.get(URL).status_code == 403


def test_who_has_not_signed_in_is_led_to_it(client: object, signed_in: Signed, people: scenes.Cast) -> None:
    browser = signed_in(people.admin)
    browser.logout()
    assert browser.get(URL).headers["Location"].startswith("/sign-in/")


def test_a_troubled_engine_tells_what_needs_attention(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    scenes.troubled_engine(people, at=at)
    page = text(signed_in(people.admin).get(URL))
    for words in (
        "No worker has been seen in the last two minutes",
        "The sweep does not come",
        "Steps wait for longer than two minutes",
        "1 operation waits for an administrator.",
        "fails: 20% of its calls in the last five minutes.",
        "9 min 0 s",
        "celery@lost",
        "ran out: the next worker takes the step",
    ):
        assert words in page


def test_a_parked_operation_is_shown_with_the_clouds_words_and_leads_to_its_order(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.troubled_engine(people, at=at)
    answer = signed_in(people.admin).get(URL)
    operation = Operation.objects.get(thread=order.uuid, status="parked")
    assert f'<a href="/operations/{operation.uuid}/">{order.number}</a>' in answer.content.decode()
    assert "No valid host was found" in text(answer)
    its_page = signed_in(people.admin).get(f"/operations/{operation.uuid}/").content.decode()
    assert f'<a href="/orders/{order.number}/">{order.number}</a>' in its_page


@pytest.mark.parametrize(("hours", "told"), [(11, 0), (13, 1)])
def test_a_cloud_that_is_not_compared_any_more_needs_attention(
    people: scenes.Cast, signed_in: Signed, at: datetime, _well: None, hours: int, told: int
) -> None:
    cloud = CloudFactory(code="east", name_en="East")
    SweepFactory(cloud=cloud, requested_at=at - timedelta(hours=hours))
    for begun in range(hours - 1):
        SweepFactory(cloud=cloud, requested_at=at - timedelta(hours=begun), status="failed")
    page = text(signed_in(people.admin).get(URL))
    assert page.count("East has not been compared with the records as a whole since") == told
    assert page.count(WELL) == 1 - told


@pytest.mark.usefixtures("_well")
def test_what_waits_long_for_a_place_needs_attention_and_is_shown_with_its_reason(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.building(people, at=at)
    waiting = Placement.objects.create(
        order=order,
        position=7,
        zone="private",
        site="main",
        first_decided_at=at - timedelta(hours=1),
        decided_at=at,
    )
    Weighed.objects.create(placement=waiting, rank=0, cloud=people.catalogue.cloud, verdict="no_host")
    admin = signed_in(people.admin)
    page = text(admin.get(URL))
    assert "no hosts with enough room for servers of this size" in page
    assert order.number in page
    assert "has no place on any cloud" not in page, "an hour is not long"
    Placement.objects.filter(pk=waiting.pk).update(first_decided_at=at - timedelta(hours=1, seconds=1))
    assert "1 part of an order has no place on any cloud" in text(admin.get(URL))
    system_admin = text(signed_in(member(Role.SYSTEM_ADMIN)).get(URL))
    assert "1 part of an order has no place on any cloud" in system_admin
    assert order.number not in system_admin, "whose order it is is not theirs to see"
    waiting.refresh_from_db()
    Placement.objects.filter(pk=waiting.pk).update(called_off_at=at)
    assert "has no place on any cloud" not in text(signed_in(people.admin).get(URL))


def test_sizes_that_differ_are_shown_with_what_the_catalogue_says(
    people: scenes.Cast, signed_in: Signed, _well: None
) -> None:
    strict, small = (
        CloudFactory(code="east", name_en="East"),
        CloudFactory(code="small", name_en="Small", sizes_must_match=False),
    )
    differing(strict, "g.4c16g")
    differing(small, "debian-12", kind="images", measure="missing", found=0)
    page = text(signed_in(people.admin).get(URL))
    assert "East differs from the catalogue in 1 size. What differs is not built there." in page
    assert "Small differs from the catalogue in 1 size." in page
    assert page.count("What differs is not built there.") == 1
    assert "East flavor g.4c16g vCPUs 4 1 Small image debian-12 is there yes no" in " ".join(page.split())


def test_administrators_of_the_system_see_how_many_wait_and_not_whose(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.troubled_engine(people, at=at)
    page = text(signed_in(member(Role.SYSTEM_ADMIN)).get(URL))
    assert "1 operation waits for an administrator." in page
    for theirs in (order.number, "app-1", people.system.name_en, "No valid host was found"):
        assert theirs not in page


def test_in_chinese(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    scenes.troubled_engine(people, at=at)
    page = text(signed_in(people.admin, language="zh-hans").get(URL))
    for words in ("引擎", "有 1 项操作等待管理员处理。", "最近两分钟内没有工作进程出现", "9 分 0 秒"):
        assert words in page


@pytest.mark.usefixtures("_well")
def test_an_engine_that_is_well_says_so(people: scenes.Cast, signed_in: Signed) -> None:
    assert WELL in text(signed_in(people.admin).get(URL))


@pytest.mark.usefixtures("_well")
def test_an_open_cloud_that_cannot_be_built_on_needs_attention(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    """Where nothing is under way no call fails: only the look at its health tells."""
    cloud = people.catalogue.cloud
    healthy(cloud, at=at, state="unauthorized")
    told = "refuses our credentials. What is under way there waits."
    page = text(signed_in(people.admin).get(URL))
    assert (told in page, WELL in page) == (True, False)
    assert "拒绝我方凭据。该云上正在进行的工作暂停等待。" in text(
        signed_in(people.admin, language="zh-hans").get(URL)
    )
    Cloud.objects.filter(pk=cloud.pk).update(status="disabled")
    assert told not in text(signed_in(people.admin).get(URL))


@pytest.mark.usefixtures("_well")
def test_a_few_failed_calls_are_not_yet_a_cloud_that_fails(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    failed = [Exchange("compute", "GET", "/servers", 503, "", 1)] * 3
    traffic.count(cloud=people.catalogue.cloud, exchanges=failed, at=at)
    assert WELL in text(signed_in(people.admin).get(URL))


@pytest.mark.usefixtures("_well")
def test_an_operation_of_no_order_is_shown_without_a_link(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    parked = operation(at, "app")
    Operation.objects.filter(pk=parked.pk).update(status="parked", parked_at=at - timedelta(hours=1))
    answer = signed_in(people.admin).get(URL)
    assert parked.reason in text(answer)
    assert f"/orders/{parked.reason}" not in answer.content.decode()


def test_asked_by_the_page_itself_it_answers_with_the_part_that_changes(
    people: scenes.Cast, signed_in: Signed
) -> None:
    answer = signed_in(people.admin).get(URL, headers={"HX-Request": "true"})
    assert answer.content.decode().lstrip().startswith('<div id="engine"')
    assert "HX-Request" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "—"), (0.04, "0.0 s"), (9.96, "10.0 s"), (59, "59 s"), (60, "1 min 0 s"), (3_599.6, "1 h 0 min"),
        (90_000, "1 d 1 h"),
    ],
)  # fmt: skip
def test_lengths_of_time_are_told_in_their_two_largest_units(seconds: float | None, told: str) -> None:
    assert span(seconds) == told


@pytest.mark.usefixtures("_well")
def test_a_direct_action_that_waits_is_named(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    parked = operation(at, "web-1")
    Operation.objects.filter(pk=parked.pk).update(
        kind="action",
        action="snapshot",
        resource=VolumeFactory().resource,
        status="parked",
        parked_at=at - timedelta(hours=1),
    )
    for language, words in (("en", "keep the volume's state as a snapshot"), ("zh-hans", "为存储卷创建快照")):
        page = text(signed_in(people.admin, language=language).get(URL))
        assert words in page
