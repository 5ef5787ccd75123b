"""What is told of quota that is ordered: granted, for a time, near the end of that, fallen back."""

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from govcloud.audit.services import SystemActor
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.notifications import dispatch, texts
from govcloud.notifications.kinds import Kind
from govcloud.notifications.models import Message, Notice
from govcloud.orders.drafts import LimitDraft
from govcloud.quotas import services as quotas
from govcloud.quotas import temporary
from govcloud.quotas.ledger import Hold
from govcloud.quotas.limits import LimitMoved
from govcloud.quotas.models import Dimension, QuotaAccount, TemporaryRaise
from tests.factories.orders import Scene, approve_all, approved, scene, submitted
from tests.factories.quotas import opened

pytestmark = pytest.mark.django_db
VCPUS = Dimension.VCPUS


@pytest.fixture
def on() -> Scene:
    return scene(limits={"vcpus": 100})


def vcpus(limit: int, *, until: date | None = None) -> tuple[LimitDraft]:
    return (LimitDraft(dimension=VCPUS, limit=limit, until=until),)


def taken(on: Scene, amount: int, *, at: datetime) -> None:
    quotas.hold(department=on.department, holds=[Hold(uuid4(), {"vcpus": amount})], at=at)


def by(day: datetime, **more: int) -> date:
    return (day + timedelta(**more)).date()


def told(kind: Kind, *, language: str = "en") -> list[str]:
    return [
        texts.told(each, language=language).text for each in Notice.objects.filter(kind=kind).order_by("pk")
    ]


def test_the_applicant_hears_what_was_granted_and_until_when_and_nothing_of_building(
    on: Scene, at: datetime
) -> None:
    opened(on.department)
    until = by(at, days=30)
    items = (*vcpus(150, until=until), LimitDraft(dimension=Dimension.SERVERS, limit=20))
    order = approved(on, at=at, items=items)
    dispatch.dispatch(at=at)
    inbox = Message.objects.visible_to(on.applicant).exclude(notice__kind="case.stage_approved")
    assert set(inbox.values_list("notice__kind", flat=True)) == {"case.approved", "quota.granted"}
    name, english = on.department.name, on.department.name_en or on.department.name
    label = f"{order.number} {order.title}"
    assert told(Kind.QUOTA_GRANTED) == [
        f"“{label}” is in force. The quota of {english} is now: vCPU: 150 (until {until}), servers: 20."
    ]
    (chinese,) = told(Kind.QUOTA_GRANTED, language="zh-hans")
    assert (name in chinese, "vCPU（核）：150" in chinese, "云服务器数：20" in chinese) == (True, True, True)
    assert "being built" not in told(Kind.CASE_APPROVED)[0]


def test_what_is_refused_at_the_last_approval_is_not_told_as_granted(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at, items=vcpus(150))
    quotas.set_limit(
        account=QuotaAccount.objects.get(department=on.department, dimension=VCPUS),
        limit=120,
        expected_version=1,
        actor=SystemActor("tests"),
        at=at,
    )
    with pytest.raises(LimitMoved):
        approve_all(on, order, at=at)
    assert told(Kind.QUOTA_GRANTED) == []


def test_the_department_is_warned_once_some_working_days_before_a_limit_falls_back(
    on: Scene, at: datetime
) -> None:
    SpecialDay.objects.create(
        day="2026-12-11", kind=DayKind.REST, name="节日"
    )  # the 10th and the 14th to the 17th are worked
    order = approved(on, at=at, items=vcpus(200, until=date(2026, 12, 17)))
    taken(on, 130, at=at)
    times = ["2026-12-08T23:00+08:00", "2026-12-09T00:30+08:00", "2026-12-10T00:30+08:00"]
    assert [temporary.warn(at=datetime.fromisoformat(time)) for time in times] == [0, 1, 0]
    assert order.number in told(Kind.QUOTA_FALLS_BACK)[0]


def test_who_is_granted_a_raise_that_ends_soon_is_not_warned_of_it_again(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=2)))
    assert temporary.warn(at=at) == 0
    assert told(Kind.QUOTA_FALLS_BACK) == []


def test_a_sweep_that_is_cut_off_warns_nobody_and_the_next_one_does(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    (running,) = TemporaryRaise.objects.all()
    near = running.next_run_at - timedelta(days=1)
    with transaction.atomic():
        assert temporary.warn(at=near) == 1
        transaction.set_rollback(True)
    assert told(Kind.QUOTA_FALLS_BACK) == []
    assert [temporary.warn(at=near) for _again in range(3)] == [1, 0, 0]
    assert len(told(Kind.QUOTA_FALLS_BACK)) == 1


def test_the_department_hears_that_a_limit_has_fallen_back_and_what_is_beyond_it(
    on: Scene, at: datetime
) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    taken(on, 130, at=at)
    (running,) = TemporaryRaise.objects.all()
    for _again in range(2):
        temporary.fall_back(running.pk, at=running.next_run_at)
    (text,) = told(Kind.QUOTA_FELL_BACK)
    assert "from 200 to 100. 130 is taken, 30 beyond it" in text
    dispatch.dispatch(at=running.next_run_at)
    for person in (on.applicant, on.chain["unit_approver"]):
        assert Message.objects.filter(person=person, notice__kind=Kind.QUOTA_FELL_BACK).count() == 1
