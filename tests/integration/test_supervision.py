"""Cards: when each is raised, that each is raised once, that they stay, and who hears of them.

The default chain for a committed matter in the private zone: unit approval 2, intake 1, technical review 2, authority
approval 2 working days. ``at`` is Wednesday, 18 November 2026, 10:00 in Beijing.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from govcloud.approvals import services as approvals
from govcloud.approvals import sharing
from govcloud.approvals.models import Case
from govcloud.audit.models import Event
from govcloud.calendars.services import due_after, seed
from govcloud.notifications import dispatch
from govcloud.notifications.models import Message
from govcloud.supervision import late, services
from govcloud.supervision.models import SupervisionCard
from tenants.models import Role, User
from tests.at_once import at_once
from tests.factories.approvals import (
    COMMITTED,
    INSTANT,
    INTAKE,
    Chain,
    absence,
    approved_up_to,
    case_of,
    chain,
    decide,
    flow,
)
from tests.factories.supervision import cards, decided_by_chain, overdue
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
YELLOW, RED = ("yellow", "limit", "unit_approval"), ("red", "limit", "unit_approval")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+08:00")


@pytest.fixture
def people() -> Chain:
    return chain()


@pytest.fixture
def case(people: Chain, at: datetime) -> Case:
    return case_of(people, at=at)


def told(person: User, *, at: datetime) -> list[str]:
    dispatch.dispatch(at=at)
    rows = Message.objects.visible_to(person).filter(notice__kind__startswith="card.")
    return list(rows.order_by("pk").values_list("notice__kind", flat=True))


def countersigned(people: Chain, *, at: datetime) -> Case:
    """One step of one working day, signed by the service desk and by technical review."""
    flow(replace(INTAKE, also_roles=(Role.TECHNICAL_REVIEWER,)), at=at)
    return case_of(people, at=at)


# -- when


@pytest.mark.parametrize(
    ("now", "raised"),
    [
        ("18T18:00", []),
        ("19T17:59", []),
        ("19T18:00", [YELLOW]),  # the limit is Friday, 18:00
        ("20T17:59", [YELLOW]),
        ("20T18:00", [YELLOW, RED]),
        ("23T10:00", [YELLOW, RED]),
    ],
)
def test_yellow_one_working_day_before_the_limit_and_red_at_it(
    case: Case, now: str, raised: list[object]
) -> None:
    moments = [moment(text) for text in ("18T18:00", "19T17:59", "19T18:00", "20T17:59", "20T18:00")]
    for at in [*moments, moment(now)]:
        if at <= moment(now):
            services.sweep(at=at)
    assert cards(case) == raised


def test_a_working_day_is_one_of_the_calendar(people: Chain) -> None:
    seed(years=[2026])
    case = case_of(people, at=datetime.fromisoformat("2026-09-30T10:00+08:00"))  # due Friday, 9 October
    services.sweep(at=datetime.fromisoformat("2026-10-08T17:59+08:00"))
    assert cards(case) == []
    services.sweep(at=datetime.fromisoformat("2026-10-08T18:00+08:00"))
    assert cards(case) == [YELLOW]


def test_what_was_not_looked_at_in_time_is_red_at_once_and_not_yellow_too(case: Case) -> None:
    services.sweep(at=moment("23T10:00"))
    assert cards(case) == [RED]


def test_a_step_that_began_after_the_warning_was_due_gets_none(people: Chain) -> None:
    case = case_of(people, at=moment("18T20:00"), matter=INSTANT)  # due on the 19th, 18:00
    services.sweep(at=moment("19T10:00"))
    assert cards(case) == []
    services.sweep(at=moment("19T18:00"))
    assert cards(case) == [("red", "limit", "instant_unit_approval"), ("red", "limit", None)]


def test_the_matter_as_a_whole_has_cards_of_its_own(case: Case, people: Chain, at: datetime) -> None:
    """Each step just in time, and yet the whole is late: the last one is asked for after the sum of the limits."""
    case = approved_up_to(case, "authority_approval", people, at=at)
    limit = due_after(start=at, working_days=7)
    Case.objects.filter(pk=case.pk).update(due_at=limit)
    case.stages.filter(status="current").update(due_at=limit + 5 * DAY)
    services.sweep(at=limit - DAY)
    services.sweep(at=limit)
    assert cards(case) == [("yellow", "limit", None), ("red", "limit", None)]


def test_while_it_is_back_for_correction_the_clock_stands_still(case: Case, people: Chain) -> None:
    case = decided_by_chain(case, people, at=moment("18T11:00"), verb="return", opinion="补充材料")
    services.sweep(at=moment("18T11:00") + 60 * DAY)
    assert cards(case) == []


def test_the_limit_of_the_whole_moves_by_the_working_days_of_the_pause(case: Case, people: Chain) -> None:
    limit = case.due_at
    returned = decided_by_chain(case, people, at=moment("18T11:00"), verb="return", opinion="补充材料")
    again = case_of(
        people, at=moment("24T09:00"), subject_id=returned.subject_id, revision=2, revision_hash="b" * 64
    )
    assert again.pk == case.pk
    assert again.due_at == due_after(start=limit, working_days=4)  # Thursday, Friday, Monday, Tuesday


def test_a_longer_way_gets_the_difference_on_top_of_the_pause(people: Chain) -> None:
    instant = case_of(people, at=moment("18T09:00"), matter=INSTANT)
    limit = instant.due_at
    decided_by_chain(instant, people, at=moment("18T10:00"), verb="return", opinion="补充材料")
    again = case_of(
        people, at=moment("19T09:00"), subject_id=instant.subject_id, revision=2, revision_hash="b" * 64
    )
    assert again.due_at == due_after(start=limit, working_days=1 + 7)  # the same day became seven


@pytest.mark.parametrize(
    ("returned", "again", "later"),
    [
        ("27T10:00", "27T20:00", 1),  # the last day was not over when it came back
        ("27T10:00", "28T09:00", 1),  # a Saturday
        ("27T10:00", "30T09:00", 1),
        ("27T10:00", "27T17:00", 0),
        ("26T19:00", "27T09:00", 0),
        ("26T19:00", "27T18:00", 1),
    ],
)
def test_a_day_counts_for_the_pause_once_it_has_ended(
    case: Case, people: Chain, returned: str, again: str, later: int
) -> None:
    """Due on the last day, a Friday: whoever sends it in again in the evening has what was left of the day on Monday."""
    limit = moment("27T18:00")
    assert case.due_at == limit
    sent_back = decided_by_chain(case, people, at=moment(returned), verb="return", opinion="补充材料")
    case = case_of(
        people, at=moment(again), subject_id=sent_back.subject_id, revision=2, revision_hash="b" * 64
    )
    assert case.due_at == (due_after(start=limit, working_days=later) if later else limit)
    services.sweep(at=moment(again))
    assert ("red", "limit", None) not in cards(case)


def test_a_way_is_longer_only_than_the_longest_so_far(people: Chain) -> None:
    """Seven working days, then the same day, then seven again."""
    at = moment("18T09:00")
    case = case_of(people, at=at)
    for revision, matter in ((2, INSTANT), (3, COMMITTED)):
        decided_by_chain(case, people, at=at, verb="return", opinion="补充材料")
        case = case_of(
            people,
            at=at,
            matter=matter,
            subject_id=case.subject_id,
            revision=revision,
            revision_hash="b" * 64,
        )
    assert case.due_at == due_after(start=at, working_days=7)


# -- decided late before anybody had looked


def test_a_step_that_was_decided_late_before_a_sweep_gets_its_red_card(case: Case, people: Chain) -> None:
    decided_by_chain(case, people, at=moment("20T18:01"), opinion="会签单位出差")
    for _each in range(2):
        services.sweep(at=moment("20T18:02"))
    assert cards(case) == [RED]
    card = SupervisionCard.objects.get()
    assert (card.role, card.also_roles, card.due_at) == ("unit_approver", [], moment("20T18:00"))
    assert told(people.unit_approver, at=moment("20T18:02")) == ["card.red"]
    assert told(people.service_desk, at=moment("20T18:02")) == []


def test_a_step_that_is_decided_while_a_sweep_looks_gets_one_card(
    case: Case, people: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = late.stages

    def decided_before(*, at: datetime, since: datetime) -> Any:
        monkeypatch.setattr(late, "stages", looked)
        decided_by_chain(case, people, at=at, opinion="会签单位出差")
        return looked(at=at, since=since)

    monkeypatch.setattr(late, "stages", decided_before)
    services.sweep(at=moment("20T18:01"))
    assert cards(case) == [RED]


def test_it_names_those_who_signed_late_alone(people: Chain, at: datetime) -> None:
    case = countersigned(people, at=at)  # due on the 19th, 18:00
    supervisor = member(Role.SUPERVISOR)
    decide(case, people.service_desk, moment("19T17:00"))
    decide(case, people.technical_reviewer, moment("19T18:01"), opinion="会签单位出差")
    services.sweep(at=moment("19T18:02"))
    assert cards(case) == [("red", "limit", "intake"), ("red", "limit", None)]
    assert set(SupervisionCard.objects.values_list("role", flat=True)) == {"technical_reviewer"}
    assert told(people.technical_reviewer, at=moment("19T18:02")) == ["card.red", "card.red"]
    assert told(supervisor, at=moment("19T18:02")) == ["card.red", "card.red"]
    assert told(people.service_desk, at=moment("19T18:02")) == []


def test_nothing_from_long_ago_and_nothing_of_rules(case: Case, people: Chain) -> None:
    decided_by_chain(case, people, at=moment("23T10:00"), opinion="会签单位出差")
    decided_by_chain(case, people, at=moment("23T11:00"), verb="return", opinion="补充材料")
    services.sweep(at=moment("23T10:00") + 31 * DAY)
    assert cards(case) == []


# -- a missing reason


def test_a_late_decision_without_a_word_about_why_gets_a_card(case: Case, people: Chain) -> None:
    services.sweep(at=moment("23T10:00"))
    decided_by_chain(case, people, at=moment("23T11:00"))
    services.sweep(at=moment("23T11:01"))
    services.sweep(at=moment("23T11:02"))
    assert cards(case) == [RED, ("yellow", "reason", "unit_approval")]
    assert SupervisionCard.objects.get(cause="reason").decider == people.unit_approver
    assert told(people.unit_approver, at=moment("23T11:02")) == ["card.red", "card.reason"]


@pytest.mark.parametrize(
    ("when", "opinion"),
    [("20T17:00", ""), ("23T11:00", "会签单位出差，延后办理")],
    ids=["in time", "with a reason"],
)
def test_in_time_or_with_a_reason_there_is_none(case: Case, people: Chain, when: str, opinion: str) -> None:
    decided_by_chain(case, people, at=moment(when), opinion=opinion)
    services.sweep(at=moment(when))
    assert not SupervisionCard.objects.filter(cause="reason").exists()


def test_of_a_step_that_several_sign_each_answers_for_their_own_signature(
    people: Chain, at: datetime
) -> None:
    case = countersigned(people, at=at)  # due on the 19th, 18:00
    decide(case, people.service_desk, moment("20T09:00"))
    decide(case, people.technical_reviewer, moment("20T10:00"))
    services.sweep(at=moment("20T10:01"))
    services.sweep(at=moment("20T10:02"))
    found = SupervisionCard.objects.filter(cause="reason").order_by("pk").values_list("role", "decider")
    assert list(found) == [
        ("service_desk", people.service_desk.pk),
        ("technical_reviewer", people.technical_reviewer.pk),
    ]


# -- once, and for ever


def test_sweeping_again_raises_nothing_twice(case: Case) -> None:
    for hours in range(5):
        services.sweep(at=moment("23T10:00") + timedelta(hours=hours))
    assert cards(case) == [RED]
    assert Event.objects.filter(verb="card.raised").count() == 1


@pytest.mark.parametrize(
    "table", ["supervision_supervisioncard", "supervision_supervisioncard_people", "supervision_escalation"]
)
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_database_lets_nobody_change_or_remove_a_card(at: datetime, table: str, change: str) -> None:
    overdue(at=at)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what is pending would keep TRUNCATE out by itself
        with pytest.raises(DatabaseError, match="never changed or removed"), transaction.atomic():
            cursor.execute(change.format(table))


def test_the_database_takes_no_second_card_of_a_kind(at: datetime) -> None:
    overdue(at=at)
    card = SupervisionCard.objects.filter(stage=None).latest("pk")
    card.pk, card.uuid = None, uuid4()
    with pytest.raises(DatabaseError, match="card_once"), transaction.atomic():
        card.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_several_sweeps_at_once_raise_each_card_once(at: datetime) -> None:
    people = chain()
    for _case in range(5):
        case_of(people, at=at)
    later = at + 30 * DAY
    assert at_once([lambda: services.sweep(at=later)] * 5) == [None] * 5
    services.sweep(at=later)
    assert SupervisionCard.objects.count() == 10  # a step and the whole of each
    dispatch.dispatch(at=later)
    assert Message.objects.filter(person=people.unit_approver, notice__kind="card.red").count() == 10


def test_a_sweep_takes_as_many_statements_for_many_as_for_few(people: Chain, at: datetime) -> None:
    def statements(many: int, later: datetime) -> int:
        for _case in range(many):
            case_of(people, at=at)
        with CaptureQueriesContext(connection) as queries:
            assert services.sweep(at=later) == 2 * many
        return len(queries)

    assert statements(2, at + 30 * DAY) == statements(20, at + 31 * DAY)


# -- who hears of it


def test_a_yellow_card_is_told_to_who_can_decide_and_a_red_one_to_supervisors_too(
    case: Case, people: Chain
) -> None:
    supervisor, leader = member(Role.SUPERVISOR), member(Role.LEADER)
    services.sweep(at=moment("19T18:00"))
    assert told(people.unit_approver, at=moment("19T18:00")) == ["card.yellow"]
    services.sweep(at=moment("20T18:00"))
    assert told(people.unit_approver, at=moment("20T18:00")) == ["card.yellow", "card.red"]
    assert told(supervisor, at=moment("20T18:00")) == ["card.red"]
    assert told(leader, at=moment("20T18:00")) == []
    assert told(people.service_desk, at=moment("20T18:00")) == []


def test_who_has_signed_their_part_hears_nothing_and_who_has_not_does(people: Chain, at: datetime) -> None:
    case = countersigned(people, at=at)
    decide(case, people.service_desk, moment("19T09:00"))
    services.sweep(at=moment("19T18:00"))
    card = SupervisionCard.objects.get(case=case, colour="red", stage__isnull=False)
    assert (card.role, card.also_roles) == (Role.TECHNICAL_REVIEWER, [])
    assert told(people.technical_reviewer, at=moment("19T18:00")) == ["card.red", "card.red"]
    assert told(people.service_desk, at=moment("19T18:00")) == []


def test_as_long_as_nobody_has_signed_all_of_them_hear(people: Chain, at: datetime) -> None:
    case = countersigned(people, at=at)
    services.sweep(at=moment("19T18:00"))
    card = SupervisionCard.objects.get(case=case, colour="red", stage__isnull=False)
    assert (card.role, card.also_roles) == (Role.SERVICE_DESK, [Role.TECHNICAL_REVIEWER])
    for person in (people.service_desk, people.technical_reviewer):
        assert told(person, at=moment("19T18:00")) == ["card.red", "card.red"]


def test_a_seat_that_was_given_to_somebody_is_told_to_them_alone(
    case: Case, people: Chain, at: datetime
) -> None:
    sharing.delegate(
        case=case, stage="unit_approval", person=people.cloud_admin, reason="出差", actor=people.unit_approver, at=at
    )  # fmt: skip
    colleague = member(Role.UNIT_APPROVER, people.department)
    services.sweep(at=moment("19T18:00"))
    card = SupervisionCard.objects.get(case=case)
    assert (card.role, list(card.people.all())) == (Role.UNIT_APPROVER, [people.cloud_admin])
    assert told(people.cloud_admin, at=moment("19T18:00")) == ["card.yellow"]
    assert told(people.unit_approver, at=moment("19T18:00")) == []
    assert told(colleague, at=moment("19T18:00")) == []


def test_who_stands_in_for_somebody_hears_of_what_waits_for_them(
    case: Case, people: Chain, at: datetime
) -> None:
    absence(people.unit_approver, people.cloud_admin, begins=at, days=9)
    absence(people.service_desk, people.technical_reviewer, begins=at, days=9)
    services.sweep(at=moment("19T18:00"))
    assert told(people.cloud_admin, at=moment("19T18:00")) == ["card.yellow"]
    assert told(people.technical_reviewer, at=moment("19T18:00")) == []


def test_leaders_hear_of_what_still_waits_two_working_days_later_and_once(case: Case) -> None:
    leader = member(Role.LEADER)
    services.sweep(at=moment("20T18:00"))
    services.sweep(at=moment("24T17:59"))
    assert told(leader, at=moment("24T17:59")) == []
    services.sweep(at=moment("24T18:00"))
    services.sweep(at=moment("25T18:00"))
    assert told(leader, at=moment("25T18:00")) == ["card.escalated"]
    assert Event.objects.filter(verb="card.escalated").count() == 1


def test_what_was_decided_meanwhile_is_not_escalated(case: Case, people: Chain) -> None:
    leader = member(Role.LEADER)
    services.sweep(at=moment("20T18:00"))
    decided_by_chain(case, people, at=moment("23T10:00"), opinion="延后")
    services.sweep(at=moment("24T18:00"))
    assert "card.escalated" not in told(leader, at=moment("24T18:00"))


def test_a_whole_whose_limit_has_moved_is_not_escalated_by_the_old_one(people: Chain, at: datetime) -> None:
    leader = member(Role.LEADER)
    case = overdue(people, at=at)
    assert told(leader, at=at).count("card.escalated") == 2
    other = case_of(people, at=at - 30 * DAY)
    Case.objects.filter(pk=other.pk).update(due_at=at - timedelta(hours=1))
    services.sweep(at=at)
    Case.objects.filter(pk=other.pk).update(due_at=at + 90 * DAY)
    services.sweep(at=at + 10 * DAY)
    escalated = SupervisionCard.objects.filter(case=other, escalation__isnull=False)
    assert [card.stage.code for card in escalated if card.stage] == ["unit_approval"]
    assert not escalated.filter(stage=None).exists()
    assert approvals.current_deciders(case=case, at=at)
