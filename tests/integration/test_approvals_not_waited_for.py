"""Steps that everybody signs, and somebody who had not signed yet signs no more: the others' signatures are enough."""

from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from govcloud.approvals import handover, sharing, surplus
from govcloud.approvals import services as approvals
from govcloud.approvals.models import Case, Seat
from govcloud.approvals.routing import StageRule
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.notifications import audience
from govcloud.notifications.models import Notice
from govcloud.orders import services as orders
from govcloud.orders import tasks
from govcloud.orders.models import Order
from govcloud.supervision import services as supervision
from tenants.models import Membership, Role, User
from tests.factories.approvals import INTAKE, Chain, absence, add_reviewer, case_of, chain, decide, flow
from tests.factories.orders import scene, submitted
from tests.factories.tenants import grant, member

pytestmark = pytest.mark.django_db

BY = SystemActor("tests")
BOARD = StageRule("board", "会审", "Board", Role.AUTHORITY_APPROVER, 2, quorum="all")


@pytest.fixture
def people(at: datetime) -> Chain:
    people = chain()
    flow(BOARD, INTAKE, at=at)
    return people


@pytest.fixture
def other(db: None) -> User:
    """The second one who is to sign."""
    return member(Role.AUTHORITY_APPROVER)


@pytest.fixture
def case(people: Chain, other: User, at: datetime) -> Case:
    """Signed by the first, before the other."""
    return decide(case_of(people, at=at), people.authority_approver, at)


def revoke(person: User, at: datetime) -> None:
    held = Membership.objects.get(user=person)
    handover.revoke(membership=held, reason="调离岗位", actor=member(Role.SECURITY_ADMIN), at=at)


def current(case: Case) -> str:
    return case.stages.get(status="current").code


def went_on(case: Case, at: datetime) -> bool:
    """Whether it is before the next step once what is worth looking at has been looked at."""
    for pk in surplus.cases(at=at):
        approvals.go_on_without(case=Case.objects.get(pk=pk), actor=BY, at=at)
    return current(case) == "intake"


class TestTheLastOne:
    def test_whose_role_is_revoked(self, case: Case, other: User, at: datetime) -> None:
        assert not went_on(case, at)
        revoke(other, at)
        assert went_on(case, at)
        assert sorted(Seat.objects.filter(stage__code="board").values_list("status", flat=True)) == [
            "released", "signed",
        ]  # fmt: skip
        event = Event.objects.get(verb="case.seat_released")
        assert (event.actor, event.before, event.after, event.thread) == (
            "system:tests", {"role": "authority_approver"}, {"stage": "board"}, case.thread,
        )  # fmt: skip

    def test_whose_account_is_closed(self, case: Case, other: User, at: datetime) -> None:
        User.objects.filter(pk=other.pk).update(is_active=False)
        assert went_on(case, at)

    def test_who_becomes_the_applicant(self, case: Case, other: User, at: datetime) -> None:
        handover.reassign(cases=[case], to=other, actor=BY, at=at)
        assert went_on(case, at)

    def test_but_not_where_somebody_new_holds_the_role(self, case: Case, other: User, at: datetime) -> None:
        member(Role.AUTHORITY_APPROVER)
        revoke(other, at)
        assert not went_on(case, at)

    def test_without_anybody_who_has_signed_it_waits_for_a_new_holder(
        self, people: Chain, other: User, at: datetime
    ) -> None:
        case = case_of(people, at=at)
        for person in (people.authority_approver, other):
            revoke(person, at)
        assert not went_on(case, at)
        assert Seat.objects.filter(status="open").count() == 1
        decide(case, member(Role.AUTHORITY_APPROVER), at)
        assert current(case) == "intake"

    def test_beside_an_added_reviewer_who_has_not_signed_yet(
        self, people: Chain, other: User, at: datetime
    ) -> None:
        case = case_of(people, at=at)
        add_reviewer(case, people.authority_approver, people.cloud_admin, at)
        decide(case, people.authority_approver, at)
        revoke(other, at)
        assert not went_on(case, at)
        decide(case, people.cloud_admin, at)
        assert current(case) == "intake"

    @pytest.mark.parametrize("ended", ["answered", "waived", "who was asked leaves"])
    def test_but_not_before_an_opinion_that_is_awaited(
        self, people: Chain, other: User, case: Case, at: datetime, ended: str
    ) -> None:
        asked = sharing.consult(
            case=case, stage="board", person=people.cloud_admin, question="容量是否足够？", manner="awaited",
            actor=other, at=at,
        )  # fmt: skip
        revoke(other, at)
        assert not went_on(case, at)
        assert Seat.objects.filter(stage__code="board", status="open").exists()
        match ended:
            case "answered":
                sharing.answer(consultation=asked, text="足够", actor=people.cloud_admin, at=at)
            case "waived":
                sharing.waive(consultation=asked, actor=other, at=at)
            case _:
                User.objects.filter(pk=people.cloud_admin.pk).update(is_active=False)
        assert went_on(case, at)

    def test_the_next_ones_are_told_but_for_who_has_signed(
        self, case: Case, other: User, people: Chain, at: datetime
    ) -> None:
        grant(people.authority_approver, Role.SERVICE_DESK)
        revoke(other, at)
        assert went_on(case, at)
        notice = Notice.objects.filter(kind="case.waiting").latest("id")
        assert {each.person for each in audience.of([notice], at=at)[notice.pk]} == {people.service_desk}
        notice = Notice.objects.filter(kind="case.stage_approved").latest("id")
        assert notice.facts["decider"] == people.authority_approver.audit_name


def test_who_signs_for_somebody_leaves_no_seat_to_them(people: Chain, other: User, at: datetime) -> None:
    case = case_of(people, at=at)
    revoke(other, at)
    absence(people.authority_approver, people.cloud_admin, begins=at)
    decide(case, people.cloud_admin, at)
    assert current(case) == "intake"


def test_nor_does_it_where_the_other_one_leaves_without_a_look_meanwhile(
    people: Chain, other: User, at: datetime
) -> None:
    case = case_of(people, at=at)
    Membership.objects.filter(user=other).update(valid_until=at)
    absence(people.authority_approver, people.cloud_admin, begins=at)
    decide(case, people.cloud_admin, at)
    assert current(case) == "intake"


@pytest.mark.usefixtures("case")
class TestBells:
    @pytest.fixture
    def rung(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        rung: list[str] = []
        monkeypatch.setattr(surplus, "_bells", [lambda: rung.append("now")])
        return rung

    def test_one_is_rung_when_a_role_is_revoked(
        self,
        other: User,
        rung: list[str],
        at: datetime,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            revoke(other, at)
        assert rung == ["now"]

    def test_and_when_the_opinion_that_was_awaited_is_there(
        self,
        other: User,
        case: Case,
        rung: list[str],
        at: datetime,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        admin = member(Role.CLOUD_ADMIN)
        asked = sharing.consult(
            case=case, stage="board", person=admin, question="容量是否足够？", manner="awaited",
            actor=other, at=at,
        )  # fmt: skip
        revoke(other, at)
        rung.clear()
        with django_capture_on_commit_callbacks(execute=True):
            sharing.answer(consultation=asked, text="足够", actor=admin, at=at)
        assert rung == ["now"]

    def test_and_by_the_sweep_when_it_runs_out(
        self,
        other: User,
        rung: list[str],
        at: datetime,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        over = at + timedelta(hours=1)
        Membership.objects.filter(user=other).update(valid_until=over)
        with django_capture_on_commit_callbacks(execute=True):
            supervision.sweep(at=at)
            assert not rung
            supervision.sweep(at=over)
        assert rung == ["now"]


def signed(order: Order, by: User, at: datetime) -> None:
    assert order.case is not None
    told = {"verb": "approve", "opinion": "", "revision_hash": order.case.revision_hash}
    orders.decide(order=order, **told, actor=by, at=at)


def test_the_order_goes_where_its_case_goes(at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    on, leaver = scene(), member(Role.AUTHORITY_APPROVER)
    flow(BOARD, at=at)
    order = submitted(on, at=at)
    signed(order, on.chain[Role.AUTHORITY_APPROVER], at)
    Membership.objects.filter(user=leaver).update(valid_until=at)
    monkeypatch.setattr(tasks.clock, "now", lambda: at)
    tasks.go_on()
    order = Order.objects.select_related("case").get(pk=order.pk)
    assert order.case is not None
    assert (order.status, order.case.status) == ("fulfilling", "approved")
    tasks.go_on()


def test_what_cannot_go_on_stays_as_it_was(at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    on, leaver = scene(), member(Role.AUTHORITY_APPROVER)
    flow(BOARD, at=at)
    order = submitted(on, at=at)
    signed(order, on.chain[Role.AUTHORITY_APPROVER], at)
    Membership.objects.filter(user=leaver).update(valid_until=at)
    monkeypatch.setattr(tasks.clock, "now", lambda: at)

    def broken(*_args: object, **_how: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("govcloud.orders.following.fulfilment.begin", broken)
    tasks.go_on()
    assert Seat.objects.filter(status="open").count() == 1
    assert Order.objects.get(pk=order.pk).status == "in_approval"
