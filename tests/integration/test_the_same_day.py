"""Steps and matters due on the same day: their limits, cards and pauses. November 2026: the 18th is a Wednesday, the 21st a
Saturday.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date, datetime

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from govcloud.approvals.models import Case, FlowVersion, Stage
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.supervision import services, statistics
from tests.factories.approvals import INSTANT, INTAKE, Chain, case_of, chain, current_stage, decide, flow
from tests.factories.supervision import cards

RED = [("red", "limit", "instant_unit_approval"), ("red", "limit", None)]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+08:00")


@pytest.fixture
def people(db: None) -> Chain:
    return chain()


def again(case: Case, people: Chain, at: str) -> Case:
    return case_of(
        people, at=moment(at), matter=INSTANT, subject_id=case.subject_id, revision=case.revision + 1,
        revision_hash="b" * 64,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("comes", "due"),
    [
        ("18T10:00", "18T18:00"),
        ("18T17:59", "18T18:00"),
        ("18T18:00", "19T18:00"),
        ("21T10:00", "23T18:00"),
        ("28T10:00", "28T18:00"),  # a Saturday that is made up for
    ],
)
def test_a_matter_of_the_same_day_gets_no_yellow_card_and_a_red_one_at_its_limit(
    people: Chain, comes: str, due: str
) -> None:
    SpecialDay.objects.create(day=date(2026, 11, 28), kind=DayKind.WORK, name="补班")
    case = case_of(people, at=moment(comes), matter=INSTANT)
    assert (case.due_at, current_stage(case).due_at) == (moment(due), moment(due))
    for at in [moment(comes), moment(due).replace(hour=17, minute=59)]:
        services.sweep(at=at)
        assert cards(case) == []
    services.sweep(at=moment(due))
    assert cards(case) == RED


def test_a_step_whose_turn_comes_in_the_evening_has_the_next_working_day(people: Chain) -> None:
    case = case_of(people, at=moment("20T10:00"), matter=INSTANT)
    assert {stage.due_at for stage in case.stages.all()} == {moment("20T18:00")}
    case = decide(case, people.unit_approver, moment("20T18:00"))
    assert current_stage(case).due_at == moment("23T18:00")


@pytest.mark.parametrize(
    ("returned", "comes_back", "due"),
    [
        ("18T11:00", "18T15:00", "18T18:00"),
        ("18T11:00", "18T18:00", "19T18:00"),
        ("18T11:00", "19T10:00", "19T18:00"),
        ("18T11:00", "20T20:00", "23T18:00"),
        ("18T11:00", "21T10:00", "23T18:00"),
        ("18T19:00", "18T20:00", "19T18:00"),  # it was late when it was returned
        ("18T19:00", "19T10:00", "19T18:00"),
        ("18T19:00", "21T10:00", "23T18:00"),
    ],
)
def test_what_comes_back_has_the_day_on_which_it_does(
    people: Chain, returned: str, comes_back: str, due: str
) -> None:
    case = case_of(people, at=moment("18T10:00"), matter=INSTANT)
    case = decide(case, people.unit_approver, moment(returned), verb="return")
    case = again(case, people, comes_back)
    assert (case.due_at, current_stage(case).due_at) == (moment(due), moment(due))
    services.sweep(at=moment(comes_back))
    assert not {("red", "limit", None), ("yellow", "limit", None)} & set(cards(case))
    services.sweep(at=moment(due))
    assert cards(case)[-1] == ("red", "limit", None)


def test_figures_tell_a_limit_of_the_same_day(people: Chain) -> None:
    flow(replace(INTAKE, working_days=0), at=moment("18T09:00"))
    decide(case_of(people, at=moment("18T10:00")), people.service_desk, moment("18T18:00"))
    decide(case_of(people, at=moment("18T10:00")), people.service_desk, moment("18T18:01"))
    month = statistics.Period(moment("01T00:00"), moment("30T00:00"))
    (step,) = statistics.figures(period=month).stages
    assert (step.limit, step.decided, step.late) == (0, 2, 1)


@pytest.fixture
def draft(transactional_db: None) -> Iterator[FlowVersion]:
    """One with a stage of the same day. Whatever happens, the schema is as it should be afterwards."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    draft = FlowVersion.objects.create(name="即办流程")
    Stage.objects.create(flow=draft, position=1, **asdict(replace(INTAKE, working_days=0)))
    yield draft
    MigrationExecutor(connection).migrate(newest)


def test_the_release_before_is_not_returned_to_with_limits_it_cannot_say(draft: FlowVersion) -> None:
    before = [("approvals", "0010_who_wrote_it")]
    with pytest.raises(RuntimeError, match=r"due on the same day.*即办流程"):
        MigrationExecutor(connection).migrate(before)
    draft.stages.all().delete()
    MigrationExecutor(connection).migrate(before)
