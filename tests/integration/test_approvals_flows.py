"""Publishing flow versions, planning along them, and that they never change."""

from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from govcloud.approvals import services as approvals
from govcloud.approvals.models import FlowVersion, Stage
from govcloud.approvals.routing import DEFAULT_FLOW, StageRule
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.calendars.services import seed
from tenants.models import Role
from tests.factories.approvals import COMMITTED, INSTANT, case_of, chain, default_flow, one_stage_flow
from tests.factories.tenants import BEGINNING, DepartmentFactory, UserFactory, grant, member

pytestmark = pytest.mark.django_db


def test_default_flow_is_published_once_and_told_of(at: datetime) -> None:
    flow = default_flow()
    assert approvals.publish_default_flow(actor=SystemActor("tests"), at=at) == flow
    assert [stage.code for stage in flow.stages.all()] == [stage.code for stage in DEFAULT_FLOW]
    assert Event.objects.filter(verb="flow.published").count() == 1


def test_a_flow_that_is_in_force_is_not_replaced_by_the_default_one(at: datetime) -> None:
    own = one_stage_flow(at)
    assert approvals.publish_default_flow(actor=SystemActor("tests"), at=at) == own
    assert FlowVersion.objects.count() == 1


def test_a_new_version_routes_new_cases_and_running_ones_stay_on_theirs(at: datetime) -> None:
    people = chain()
    before = case_of(people, at=at)
    newer = one_stage_flow(at)
    after = case_of(people, at=at)
    assert (newer.number, before.flow.number, after.flow) == (2, 1, newer)
    assert before.stages.count() == 4
    assert [stage.code for stage in after.stages.all()] == ["intake"]


def test_a_version_routes_nothing_before_it_is_in_force(at: datetime) -> None:
    people = chain()
    later = one_stage_flow(at, in_force_from=at + timedelta(days=30))
    assert case_of(people, at=at).flow != later
    assert case_of(people, at=at + timedelta(days=30)).flow == later


def test_a_draft_routes_nothing(at: datetime) -> None:
    FlowVersion.objects.create(number=1, name="草稿", in_force_from=BEGINNING)
    with pytest.raises(approvals.NoFlow):
        approvals.preview(department=DepartmentFactory(), applicant=UserFactory(), matter=COMMITTED, at=at)


def test_a_flow_by_which_some_matters_would_be_approved_by_nobody_is_not_published(at: datetime) -> None:
    with pytest.raises(approvals.FlowSkipsMatters):
        one_stage_flow(
            at, stages=[StageRule("intake", "受理", "Intake", "service_desk", 1, only_kind="instant")]
        )
    assert not FlowVersion.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approvals_flowversion SET name = 'x'",
        "DELETE FROM approvals_flowversion",
        "UPDATE approvals_stage SET working_days = 9",
        "DELETE FROM approvals_stage",
    ],
)
def test_a_published_version_never_changes(statement: str) -> None:
    default_flow()
    with (
        pytest.raises(DatabaseError, match="never change"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_a_published_version_gets_no_further_stage() -> None:
    flow = default_flow()
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        Stage.objects.create(
            flow=flow, position=99, code="x", name="x", name_en="x", role="leader", working_days=1
        )


def test_a_draft_can_be_changed_and_thrown_away(at: datetime) -> None:
    draft = FlowVersion.objects.create(number=1, name="草稿", in_force_from=at)
    stage = Stage.objects.create(
        flow=draft, position=1, code="x", name="x", name_en="x", role="leader", working_days=1
    )
    Stage.objects.filter(pk=stage.pk).update(working_days=2)
    draft.delete()
    assert not FlowVersion.objects.exists()


def test_preview_names_who_decides_and_by_when(at: datetime) -> None:
    seed(years=[2026])
    people = chain()
    planned = approvals.preview(
        department=people.department, applicant=people.applicant, matter=COMMITTED, at=at
    )
    assert [(stage.code, stage.due_at.isoformat()) for stage in planned] == [
        ("unit_approval", "2026-11-20T10:00:00+00:00"),
        ("intake", "2026-11-23T10:00:00+00:00"),
        ("technical_review", "2026-11-25T10:00:00+00:00"),
        ("authority_approval", "2026-11-27T10:00:00+00:00"),
    ]
    assert [stage.deciders for stage in planned] == [
        [people.unit_approver],
        [people.service_desk],
        [people.technical_reviewer],
        [people.authority_approver],
    ]


def test_preview_counts_around_a_holiday(at: datetime) -> None:
    seed(years=[2026])
    people = chain()
    before_national_day = at.replace(month=9, day=30)
    planned = approvals.preview(
        department=people.department, applicant=people.applicant, matter=INSTANT, at=before_national_day
    )
    assert [stage.due_at.date().isoformat() for stage in planned] == ["2026-09-30", "2026-09-30"]


def test_preview_takes_the_same_three_queries_however_long_the_chain_and_many_the_people(
    at: datetime, django_assert_num_queries
) -> None:
    people = chain()
    for _one in range(5):
        member(Role.UNIT_APPROVER, people.department)
    for matter in (COMMITTED, INSTANT):
        with django_assert_num_queries(3):
            approvals.preview(department=people.department, applicant=people.applicant, matter=matter, at=at)


def test_unit_approvers_above_can_decide_and_those_beside_and_below_cannot(at: datetime) -> None:
    above = DepartmentFactory()
    people = chain(DepartmentFactory(parent=above))
    higher = member(Role.UNIT_APPROVER, above)
    member(Role.UNIT_APPROVER, DepartmentFactory(parent=above))
    member(Role.UNIT_APPROVER, DepartmentFactory(parent=people.department))
    planned = approvals.preview(
        department=people.department, applicant=people.applicant, matter=COMMITTED, at=at
    )
    assert planned[0].deciders == [people.unit_approver, higher]


def test_people_who_left_or_were_not_here_yet_and_the_applicant_do_not_decide(at: datetime) -> None:
    people = chain()
    grant(people.applicant, Role.UNIT_APPROVER, people.department)
    gone, coming, disabled = UserFactory(), UserFactory(), UserFactory(is_active=False)
    grant(gone, Role.UNIT_APPROVER, people.department, valid_until=at)
    grant(coming, Role.UNIT_APPROVER, people.department, valid_from=at + timedelta(seconds=1))
    grant(disabled, Role.UNIT_APPROVER, people.department)
    planned = approvals.preview(
        department=people.department, applicant=people.applicant, matter=COMMITTED, at=at
    )
    assert planned[0].deciders == [people.unit_approver]


def test_a_role_that_nobody_holds_shows_as_such(at: datetime) -> None:
    default_flow()
    planned = approvals.preview(
        department=DepartmentFactory(), applicant=UserFactory(), matter=INSTANT, at=at
    )
    assert [stage.deciders for stage in planned] == [[], []]
