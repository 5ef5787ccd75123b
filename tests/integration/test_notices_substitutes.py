"""Who stands in for somebody hears of what waits for that person, if it is theirs to decide."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from govcloud.approvals import absences, reminders
from govcloud.approvals.models import Absence
from govcloud.notifications import dispatch, services
from govcloud.notifications.kinds import Kind, Way
from govcloud.notifications.models import Message, Notice
from govcloud.notifications.sending import mail_of
from govcloud.notifications.texts import told_to
from govcloud.supervision import services as supervision
from tenants.models import Membership, Role, User
from tests.at_once import at_once
from tests.factories.approvals import INTAKE, Chain, absence, case_of, chain, decide, delegate, flow
from tests.factories.notifications import posted
from tests.factories.tenants import DepartmentFactory, grant, member

DAY = timedelta(days=1)


def told(person: User, kind: str = Kind.CASE_WAITING) -> list[list[str]]:
    """On whose behalf, for each message of the kind."""
    mine = Message.objects.visible_to(person).filter(notice__kind=kind).order_by("pk")
    return list(mine.values_list("on_behalf_of", flat=True))


@pytest.fixture
def people() -> Chain:
    return chain()


@pytest.mark.django_db
class TestWhatWaits:
    def test_reaches_the_person_and_the_substitute_who_reads_for_whom(
        self, people: Chain, at: datetime
    ) -> None:
        person, substitute = people.unit_approver, people.cloud_admin
        absence(person, substitute, begins=at)
        case_of(people, at=at)
        dispatch.dispatch(at=at)
        assert (told(person), told(substitute)) == ([[]], [[person.audit_name]])
        message = Message.objects.visible_to(substitute).get()
        english = f"You are told on behalf of {person.audit_name}, for whom you stand in."
        assert told_to(message, language="en").text.endswith(english)
        assert f"您作为{person.audit_name}的代办人收到此通知" in told_to(message, language="zh-hans").text
        assert message.delivery is not None
        substitute.language = "en"
        assert english in mail_of(message.delivery, substitute)[1]

    def test_only_those_who_stand_in_when_it_is_dispatched(self, people: Chain, at: datetime) -> None:
        absence(people.unit_approver, people.cloud_admin, begins=at - 2 * DAY)
        absence(people.unit_approver, people.technical_reviewer, begins=at + DAY)
        case_of(people, at=at)
        dispatch.dispatch(at=at)
        assert told(people.cloud_admin) == told(people.technical_reviewer) == []

    def test_later_steps_too_but_not_who_has_decided(self, people: Chain, at: datetime) -> None:
        absence(people.service_desk, people.unit_approver, begins=at)
        decide(case_of(people, at=at), people.unit_approver, at)
        dispatch.dispatch(at=at)
        assert told(people.service_desk) == [[]]
        assert told(people.unit_approver) == [[]]  # of the first step, for themselves

    def test_not_who_applied(self, people: Chain, at: datetime) -> None:
        grant(people.applicant, Role.UNIT_APPROVER, people.department)
        absence(people.unit_approver, people.applicant, begins=at)
        case_of(people, at=at)
        dispatch.dispatch(at=at)
        assert told(people.applicant) == []

    def test_nor_on_behalf_of_who_applied(self, people: Chain, at: datetime) -> None:
        grant(people.applicant, Role.UNIT_APPROVER, people.department)
        absence(people.applicant, people.cloud_admin, begins=at)
        case_of(people, at=at)
        dispatch.dispatch(at=at)
        assert told(people.cloud_admin) == []

    @pytest.mark.parametrize("lost", ["role", "account"])
    def test_not_who_decides_nothing_any_more(self, people: Chain, at: datetime, lost: str) -> None:
        absence(people.unit_approver, people.cloud_admin, begins=at)
        if lost == "role":
            Membership.objects.filter(user=people.cloud_admin).update(valid_until=at)
        else:
            User.objects.filter(pk=people.cloud_admin.pk).update(is_active=False)
        case_of(people, at=at)
        dispatch.dispatch(at=at)
        assert told(people.cloud_admin) == []

    def test_not_who_decides_for_another_department_alone(self, people: Chain, at: datetime) -> None:
        elsewhere = member(Role.UNIT_APPROVER, DepartmentFactory())
        absence(people.unit_approver, elsewhere, begins=at)
        case_of(people, at=at)
        dispatch.dispatch(at=at)
        assert told(elsewhere) == []

    def test_not_the_substitute_of_a_substitute(self, people: Chain, at: datetime) -> None:
        absence(people.unit_approver, people.cloud_admin, begins=at)
        absence(people.cloud_admin, people.technical_reviewer, begins=at)
        case_of(people, at=at)
        dispatch.dispatch(at=at)
        assert told(people.technical_reviewer) == []

    def test_once_for_themselves_and_for_all_they_stand_in_for(self, people: Chain, at: datetime) -> None:
        colleagues = [member(Role.UNIT_APPROVER, people.department) for _each in range(2)]
        absence(people.unit_approver, colleagues[0], begins=at)
        absence(colleagues[0], people.cloud_admin, begins=at)
        absence(colleagues[1], people.cloud_admin, begins=at)
        case_of(people, at=at)
        dispatch.dispatch(at=at)
        assert told(colleagues[0]) == [[]]
        assert [sorted(names) for names in told(people.cloud_admin)] == [
            sorted(person.audit_name for person in colleagues)
        ]

    def test_as_they_have_chosen_to_be_told(self, people: Chain, at: datetime) -> None:
        services.prefer(person=people.cloud_admin, digest_hour=None, ways={Kind.CASE_WAITING: Way.NOT}, at=at)
        absence(people.unit_approver, people.cloud_admin, begins=at)
        case_of(people, at=at)
        dispatch.dispatch(at=at)
        assert told(people.cloud_admin) == []

    def test_what_is_given_and_reminded_of_as_well_and_nothing_else(
        self, people: Chain, at: datetime
    ) -> None:
        delegated, substitute = people.technical_reviewer, people.cloud_admin
        member(Role.TECHNICAL_REVIEWER)  # for the step that is theirs
        absence(delegated, substitute, begins=at)
        case = case_of(people, at=at)
        delegate(case, people.unit_approver, delegated, at)
        reminders.remind(case=case, text="", actor=people.applicant, at=at)
        posted(delegated, at=at, kind=Kind.CASE_RETURNED, department=people.department)
        dispatch.dispatch(at=at)
        named = [delegated.audit_name]
        assert told(substitute, Kind.CASE_GIVEN) == told(substitute, Kind.CASE_REMINDED) == [named]
        assert Message.objects.visible_to(substitute).count() == 2

    def test_cards_of_what_waits_for_the_person_say_for_whom_they_are(
        self, people: Chain, at: datetime
    ) -> None:
        person, substitute = people.unit_approver, people.cloud_admin
        absence(person, substitute, begins=at, days=9)
        case = case_of(people, at=at)
        limit = case.stages.get(status="current").due_at
        assert limit is not None
        for moment in (limit - DAY, limit):
            supervision.sweep(at=moment)
            dispatch.dispatch(at=moment)
        for kind in (Kind.CARD_YELLOW, Kind.CARD_RED):
            assert (told(person, kind), told(substitute, kind)) == ([[]], [[person.audit_name]])
        message = Message.objects.visible_to(substitute).get(notice__kind=Kind.CARD_RED)
        english = f"You are told on behalf of {person.audit_name}, for whom you stand in."
        assert told_to(message, language="en").text.endswith(english)
        assert f"您作为{person.audit_name}的代办人收到此通知" in told_to(message, language="zh-hans").text

    def test_cards_reach_who_gave_their_own_part_away_and_stands_in_for_somebody(
        self, people: Chain, at: datetime
    ) -> None:
        giver, taker = people.unit_approver, people.cloud_admin
        case = case_of(people, at=at)
        delegate(case, giver, taker, at)
        absence(taker, giver, begins=at, days=9)
        limit = case.stages.get(status="current").due_at
        assert limit is not None
        supervision.sweep(at=limit - DAY)
        dispatch.dispatch(at=limit - DAY)
        assert told(giver, Kind.CARD_YELLOW) == [[taker.audit_name]]

    def test_no_card_for_a_supervisor_who_has_nothing_to_decide(self, people: Chain, at: datetime) -> None:
        supervisor, substitute = member(Role.SUPERVISOR), people.cloud_admin
        absence(supervisor, substitute, begins=at, days=9)
        limit = case_of(people, at=at).stages.get(status="current").due_at
        assert limit is not None
        supervision.sweep(at=limit)
        dispatch.dispatch(at=limit)
        assert (told(supervisor, Kind.CARD_RED), told(substitute, Kind.CARD_RED)) == ([[]], [])

    def test_of_these_neither_who_has_decided(self, people: Chain, at: datetime) -> None:
        case = decide(case_of(people, at=at), people.unit_approver, at)
        member(Role.TECHNICAL_REVIEWER)  # for the step that is theirs
        absence(people.technical_reviewer, people.unit_approver, begins=at)
        delegate(case, people.service_desk, people.technical_reviewer, at)
        reminders.remind(case=case, text="", actor=people.applicant, at=at)
        dispatch.dispatch(at=at)
        assert told(people.unit_approver, Kind.CASE_GIVEN) == []
        assert told(people.unit_approver, Kind.CASE_REMINDED) == []

    def test_takes_as_many_statements_for_many_as_for_few(self, people: Chain, at: datetime) -> None:
        def statements(many: int) -> int:
            for _each in range(many):
                person = member(Role.UNIT_APPROVER, people.department)
                absence(person, member(Role.CLOUD_ADMIN), begins=at)
                case_of(people, at=at)
            with CaptureQueriesContext(connection) as queries:
                assert dispatch.dispatch(at=at) == many
            return len(queries)

        assert statements(2) == statements(8)


@pytest.mark.django_db
class TestTheBeginningOfAnAbsence:
    def test_the_substitute_is_told_once_of_all_that_waits(self, people: Chain, at: datetime) -> None:
        cases = [case_of(people, at=at, label=f"GC-{number}") for number in range(6)]
        dispatch.dispatch(at=at)
        begun = absence(people.unit_approver, people.cloud_admin, begins=at + DAY)
        supervision.sweep(at=at)
        assert not Notice.objects.filter(kind=Kind.ABSENCE_BEGAN).exists()
        for later in (1, 1.2):
            supervision.sweep(at=at + later * DAY)
            dispatch.dispatch(at=at + later * DAY)
        message = Message.objects.visible_to(people.cloud_admin).get(notice__kind=Kind.ABSENCE_BEGAN)
        assert message.notice.facts["count"] == len(cases)
        assert message.notice.facts["labels"] == "GC-0, GC-1, GC-2, GC-3, GC-4, …"
        assert people.unit_approver.audit_name in told_to(message, language="en").text
        begun.refresh_from_db()
        assert begun.told_at == at + DAY

    def test_nothing_is_told_where_nothing_waits_and_later_what_comes(
        self, people: Chain, at: datetime
    ) -> None:
        absence(people.unit_approver, people.cloud_admin, begins=at)
        supervision.sweep(at=at)
        case_of(people, at=at)
        supervision.sweep(at=at)
        dispatch.dispatch(at=at)
        assert told(people.cloud_admin) == [[people.unit_approver.audit_name]]
        assert told(people.cloud_admin, Kind.ABSENCE_BEGAN) == []

    def test_not_of_what_either_of_the_two_may_not_decide(self, people: Chain, at: datetime) -> None:
        """One that the substitute applied for, one that the person has decided, one that a colleague alone has by name."""
        flow(INTAKE, replace(INTAKE, code="second"), at=at)
        person, substitute, colleague = people.service_desk, people.cloud_admin, member(Role.SERVICE_DESK)
        member(Role.SERVICE_DESK)  # for the second step
        case_of(people, at=at, applicant=substitute)
        decide(case_of(people, at=at), person, at)
        delegate(case_of(people, at=at), person, colleague, at)
        absence(person, substitute, begins=at)
        supervision.sweep(at=at)
        assert not Notice.objects.filter(kind=Kind.ABSENCE_BEGAN).exists()

    def test_not_to_who_decides_nothing_there(self, people: Chain, at: datetime) -> None:
        case_of(people, at=at)
        absence(people.unit_approver, member(Role.UNIT_APPROVER, DepartmentFactory()), begins=at)
        supervision.sweep(at=at)
        assert not Notice.objects.filter(kind=Kind.ABSENCE_BEGAN).exists()


@pytest.mark.django_db(transaction=True)
def test_several_sweeps_at_once_tell_of_a_beginning_once(at: datetime) -> None:
    people = chain()
    case_of(people, at=at)
    absence(people.unit_approver, people.cloud_admin, begins=at)
    assert at_once([lambda: absences.tell_of_beginnings(at=at)] * 4) == [None] * 4
    assert Notice.objects.filter(kind=Kind.ABSENCE_BEGAN).count() == 1
    assert not Absence.objects.to_tell(at=at).exists()
