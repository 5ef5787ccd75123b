"""Somebody leaves: what they have open is handed over, and they are shut out at the same moment."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.contrib.auth import authenticate
from django.db import transaction
from django.test import Client
from knox.models import AuthToken

from govcloud.approvals import absences
from govcloud.approvals.models import Absence
from govcloud.approvals.policies import SelfApproval
from govcloud.audit.models import Event
from govcloud.notifications import texts
from govcloud.notifications.kinds import Kind
from govcloud.notifications.models import Notice
from govcloud.orders import services as orders
from govcloud.orders.models import Order
from govcloud.organisation import handover
from govcloud.organisation.handover import Foreseen
from tenants.access import grants
from tenants.models import Membership, Role, User
from tenants.policies import scope_of
from tests.factories.approvals import INTAKE, flow
from tests.factories.orders import Scene, decided, drafted, returned, scene, submitted
from tests.factories.tenants import PASSWORD, DepartmentFactory, UserFactory, grant, member, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def successor(on: Scene) -> User:
    return member(Role.APPLICANT, on.department)


@pytest.fixture
def keeper(db: None) -> User:
    return member(Role.SECURITY_ADMIN)


def left(on: Scene, keeper: User, at: datetime, *successors: User, force: bool = False) -> Foreseen:
    return handover.hand_over(
        person=on.applicant, successors=successors, reason="retired", force=force, actor=keeper, at=at
    )


def test_a_role_that_was_revoked_before_it_began_leaves_no_unit_without(keeper: User, at: datetime) -> None:
    person = UserFactory()
    held = grant(person, Role.UNIT_APPROVER, DepartmentFactory(), valid_from=at + timedelta(days=3))
    grants.revoke(membership=held, actor=keeper, at=at, reason="a mistake")
    done = handover.hand_over(person=person, successors=[], reason="x", force=False, actor=keeper, at=at)
    assert (done.held, done.uncovered) == ([], [])
    assert not Event.objects.filter(verb="role.ended").exists()


def test_drafts_and_whatever_is_open_go_to_the_successor(
    on: Scene, keeper: User, successor: User, at: datetime
) -> None:
    withdrawn = orders.withdraw(order=drafted(on, at=at), reason="不再需要", actor=on.applicant, at=at)
    open_ones = [returned(on, at=at), drafted(on, at=at), submitted(on, at=at)]
    left(on, keeper, at, successor)
    assert {order.applicant for order in Order.objects.filter(pk__in=[o.pk for o in open_ones])} == {
        successor
    }
    assert Order.objects.get(pk=withdrawn.pk).applicant == on.applicant
    reassigned = Event.objects.filter(verb="order.reassigned").order_by("id")
    assert [event.thread for event in reassigned] == [order.uuid for order in open_ones]
    assert reassigned[0].before == {"applicant": on.applicant.audit_ref}


def test_each_successor_hears_once_of_what_is_theirs_now(
    on: Scene, keeper: User, successor: User, at: datetime
) -> None:
    orders_of = [drafted(on, at=at) for _number in range(6)]
    left(on, keeper, at, successor)
    notice = Notice.objects.get(kind=Kind.ORDERS_HANDED_OVER)
    said = texts.told(notice, language="en")
    assert (notice.people, notice.thread) == ([successor.pk], None)
    assert (on.applicant.audit_name in said.title, orders_of[0].number in said.text) == (True, True)
    assert orders_of[5].number not in said.text


def test_of_one_order_the_notice_leads_to_it_and_who_lets_go_is_not_told(on: Scene, at: datetime) -> None:
    first, approver = drafted(on, at=at), on.chain[Role.UNIT_APPROVER]
    grant(approver, Role.APPLICANT, on.department)
    left(on, approver, at, approver)
    assert not Notice.objects.filter(kind=Kind.ORDERS_HANDED_OVER).exists()
    assert Order.objects.get(pk=first.pk).applicant == approver
    other, next_one = drafted(replace(on, applicant=approver), at=at), member(Role.APPLICANT, on.department)
    handover.hand_over(
        person=approver,
        successors=[next_one],
        reason="x",
        force=True,
        actor=member(Role.SECURITY_ADMIN),
        at=at,
    )
    newest = Notice.objects.filter(kind=Kind.ORDERS_HANDED_OVER).latest("pk")
    assert newest.facts["count"] == 2
    assert other.number in newest.facts["labels"]


def test_whoever_somebody_stood_in_for_is_told_and_can_name_another(
    on: Scene, keeper: User, at: datetime
) -> None:
    person, substitute = on.chain[Role.UNIT_APPROVER], member(Role.UNIT_APPROVER, on.department)
    other, begins, ends = (
        member(Role.UNIT_APPROVER, on.department),
        at + timedelta(days=1),
        at + timedelta(days=9),
    )

    def named(who: User) -> Absence:
        return absences.name_substitute(
            substitute=who, starts_at=begins, ends_at=ends, reason="", actor=person, at=at
        )

    absence = named(substitute)
    handover.hand_over(person=substitute, successors=[], reason="retired", force=False, actor=keeper, at=at)
    notice = Notice.objects.get(kind=Kind.ABSENCE_SUBSTITUTE_LEFT)
    assert notice.people == [person.pk]
    assert substitute.audit_name in texts.told(notice, language="en").title
    absence.refresh_from_db()
    assert absence.ends_at == begins
    assert Event.objects.get(verb="absence.ended").reason == "retired"
    assert named(other).substitute == other


def test_the_successor_goes_on_with_what_was_returned(
    on: Scene, keeper: User, successor: User, at: datetime
) -> None:
    order = returned(on, at=at)
    left(on, keeper, at, successor)
    order.refresh_from_db()
    again = orders.submit(order=order, actor=successor, at=at + timedelta(hours=1))
    assert (again.status, again.case.applicant, again.case.submitted_by) == (
        "in_approval",
        successor,
        successor,
    )


def test_the_successor_does_not_decide_on_what_they_took_over(
    on: Scene, keeper: User, successor: User, at: datetime
) -> None:
    grant(successor, Role.UNIT_APPROVER, on.department)
    order = submitted(on, at=at)
    left(on, keeper, at, successor)
    order.refresh_from_db()
    with pytest.raises(SelfApproval):
        orders.decide(
            order=order,
            verb="approve",
            opinion="",
            revision_hash=order.case.revision_hash,
            actor=successor,
            at=at,
        )


def test_nobody_takes_over_what_they_have_decided_on(on: Scene, keeper: User, at: datetime) -> None:
    order = decided(on, submitted(on, at=at), at=at)
    approver = on.chain[Role.UNIT_APPROVER]
    grant(approver, Role.APPLICANT, on.department)
    with pytest.raises(handover.NobodyTakesOver) as refusal:
        left(on, keeper, at, approver)
    assert order.number in refusal.value.detail


def test_the_only_approver_does_not_become_the_applicant(
    on: Scene, keeper: User, successor: User, at: datetime
) -> None:
    order = submitted(on, at=at)
    only = on.chain[Role.UNIT_APPROVER]
    grant(only, Role.APPLICANT, on.department)
    assert handover.foresee(person=on.applicant, successors=[only], at=at).stuck == [order]
    with pytest.raises(handover.NobodyTakesOver) as refusal:
        left(on, keeper, at, only)
    assert order.number in refusal.value.detail
    foreseen = left(on, keeper, at, only, successor)
    assert [move.successor for move in foreseen.moves] == [successor]


def test_nor_who_alone_can_sign_a_later_step(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    later = on.chain[Role.TECHNICAL_REVIEWER]
    grant(later, Role.APPLICANT, on.department)
    assert handover.foresee(person=on.applicant, successors=[later], at=at).stuck == [order]


def test_one_of_two_approvers_does(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    first = on.chain[Role.UNIT_APPROVER]
    grant(first, Role.APPLICANT, on.department)
    member(Role.UNIT_APPROVER, on.department)
    foreseen = handover.foresee(person=on.applicant, successors=[first], at=at)
    assert [(move.order, move.successor) for move in foreseen.moves] == [(order, first)]


def test_where_everybody_signs_it_is_not_waited_for_who_becomes_the_applicant(
    on: Scene, at: datetime
) -> None:
    flow(replace(INTAKE, quorum="all"), at=at)
    order = submitted(on, at=at)
    desk = on.chain[Role.SERVICE_DESK]
    grant(desk, Role.APPLICANT, on.department)
    assert handover.foresee(person=on.applicant, successors=[desk], at=at).stuck == [order]
    flow(replace(INTAKE, quorum="all"), at=at)
    member(Role.SERVICE_DESK)
    orders.withdraw(order=order, reason="不再需要", actor=on.applicant, at=at)
    order = submitted(on, at=at)
    foreseen = handover.foresee(person=on.applicant, successors=[desk], at=at)
    assert [(move.order, move.successor) for move in foreseen.moves] == [(order, desk)]


def test_each_order_goes_to_the_first_who_may_apply_for_its_department(
    on: Scene, keeper: User, successor: User, at: datetime
) -> None:
    elsewhere = member(Role.APPLICANT, DepartmentFactory())
    order = drafted(on, at=at)
    foreseen = handover.foresee(person=on.applicant, successors=[elsewhere, successor], at=at)
    assert [(move.order, move.successor) for move in foreseen.moves] == [(order, successor)]


def test_every_role_ends_the_one_to_come_too(on: Scene, keeper: User, successor: User, at: datetime) -> None:
    grant(on.applicant, Role.UNIT_APPROVER, on.department, valid_from=at + timedelta(days=9))
    left(on, keeper, at, successor)
    assert not scope_of(on.applicant, at=at + timedelta(seconds=1)).unit_roles
    assert not Membership.objects.valid(at=at + timedelta(days=10)).filter(user=on.applicant).exists()
    assert Event.objects.filter(verb="role.ended", reason="retired").count() == 2


def test_tokens_sessions_and_password_are_good_for_nothing_at_once(
    on: Scene, keeper: User, successor: User, at: datetime, client: Client
) -> None:
    client.force_login(on.applicant)
    _token, text = token_of(on.applicant)
    bearer = {"Authorization": f"Bearer {text}"}
    assert client.get("/orders/").status_code == 200
    assert Client().get("/api/v1/me", headers=bearer).status_code == 200
    foreseen = left(on, keeper, at, successor)
    assert foreseen.tokens == 1
    assert client.get("/orders/").status_code == 302
    assert Client().get("/api/v1/me", headers=bearer).status_code == 401
    assert authenticate(username=on.applicant.username, password=PASSWORD) is None


def test_others_keep_their_sessions_and_tokens(
    on: Scene, keeper: User, successor: User, at: datetime, client: Client
) -> None:
    client.force_login(successor)
    token_of(successor)
    left(on, keeper, at, successor)
    assert client.get("/orders/").status_code == 200
    assert AuthToken.objects.filter(user=successor).count() == 1


def test_a_unit_is_not_left_without_an_applicant(on: Scene, keeper: User, at: datetime) -> None:
    with pytest.raises(handover.UnitLeftWithout):
        left(on, keeper, at)
    on.applicant.refresh_from_db()
    assert on.applicant.is_active


def test_whoever_holds_the_role_above_is_somebody(on: Scene, keeper: User, at: datetime) -> None:
    unit = DepartmentFactory(parent=on.department)
    leaver = member(Role.APPLICANT, unit)
    handover.hand_over(person=leaver, successors=[], reason="retired", force=False, actor=keeper, at=at)
    assert not User.objects.get(pk=leaver.pk).is_active


def test_whoever_has_left_is_nobody(on: Scene, keeper: User, successor: User, at: datetime) -> None:
    User.objects.filter(pk=successor.pk).update(is_active=False)
    assert [each.role for each in handover.foresee(person=on.applicant, successors=[], at=at).uncovered] == [
        Role.APPLICANT
    ]


def test_forced_it_leaves_what_nobody_takes_and_says_so(on: Scene, keeper: User, at: datetime) -> None:
    order = drafted(on, at=at)
    left(on, keeper, at, force=True)
    assert Order.objects.get().applicant == on.applicant
    event = Event.objects.get(verb="person.left")
    assert (event.reason, event.after["forced"]) == ("retired", True)
    assert event.after["orders_left"] == [order.number]
    assert event.after["roles_without_holder"] == ["applicant"]


def test_a_refused_handover_has_moved_nothing(on: Scene, keeper: User, successor: User, at: datetime) -> None:
    User.objects.filter(pk=successor.pk).update(is_active=False)
    successor.refresh_from_db()
    drafted(on, at=at)
    token_of(on.applicant)
    with pytest.raises(handover.NoSuccessor), transaction.atomic():
        left(on, keeper, at, successor)
    assert Order.objects.get().applicant == on.applicant
    assert AuthToken.objects.count() == 1
    assert scope_of(on.applicant, at=at).unit_roles


def test_nobody_sends_themselves_away_and_nobody_leaves_twice(
    on: Scene, keeper: User, successor: User, at: datetime
) -> None:
    with pytest.raises(handover.LeavingOneself):
        handover.hand_over(person=keeper, successors=[], reason="x", force=True, actor=keeper, at=at)
    left(on, keeper, at, successor)
    with pytest.raises(handover.GoneAlready):
        left(on, keeper, at, successor)


def test_those_who_could_take_over_are_named(on: Scene, successor: User, at: datetime) -> None:
    above = member(Role.APPLICANT, on.department, display_name="另一位")
    member(Role.APPLICANT, DepartmentFactory())
    UserFactory()
    drafted(on, at=at)
    assert set(handover.possible_successors(person=on.applicant, at=at)) == {successor, above}
