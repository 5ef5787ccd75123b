"""Versions of the flow as an administrator edits them: drafted, checked, tried on the past, published, thrown away."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from govcloud.approvals import flows
from govcloud.approvals.dry_run import dry_run
from govcloud.approvals.flows import rules_of
from govcloud.approvals.models import Case, FlowVersion, Stage
from govcloud.approvals.routing import DEFAULT_FLOW, StageRule
from govcloud.audit.models import Event, Outcome
from govcloud.errors import Invalids
from govcloud.lifecycle import ChangedMeanwhile
from tenants.models import Role, User
from tenants.policies import RoleMissing
from tests.at_once import at_once, held_up
from tests.factories.approvals import (
    COMMITTED,
    INSTANT,
    INTAKE,
    Chain,
    case_of,
    chain,
    current_stage,
    decide,
    default_flow,
)
from tests.factories.tenants import member

LEVEL_3 = StageRule("level_3", "三级评审", "Level 3 review", Role.TECHNICAL_REVIEWER, 1, min_mlps_level=3)


@pytest.fixture
def admin() -> User:
    return member(Role.SYSTEM_ADMIN)


@pytest.fixture
def publisher() -> User:
    """Another one than who drafts."""
    return member(Role.SYSTEM_ADMIN)


@pytest.fixture
def draft(admin: User, at: datetime) -> FlowVersion:
    """Of the default flow, which is in force."""
    return flows.draft(name="2027 年流程", based_on=default_flow(), actor=admin, at=at)


def change(
    draft: FlowVersion, admin: User, at: datetime, *stages: StageRule, version: int = 1
) -> FlowVersion:
    return flows.change(
        flow=draft, name=draft.name, stages=stages, limits=draft.limits, expected_version=version,
        actor=admin, at=at,
    )  # fmt: skip


def publish(draft: FlowVersion, admin: User, at: datetime, *, begins: datetime | None = None) -> FlowVersion:
    draft.refresh_from_db()
    return flows.publish_draft(
        flow=draft, in_force_from=begins or at, expected_version=draft.version, actor=admin, at=at
    )


def wrong(rule: StageRule) -> list[tuple[str, tuple[str, ...]]]:
    return [(error.code, error.pointers) for error in flows.stage_problems([rule])]


@pytest.mark.django_db
class TestDrafts:
    def test_a_draft_begins_with_what_is_and_routes_nothing(self, draft: FlowVersion, at: datetime) -> None:
        assert rules_of(draft.stages.all()) == list(DEFAULT_FLOW)
        assert (draft.number, draft.published_at) == (None, None)
        assert FlowVersion.objects.in_force(at=at).first() == draft.based_on

    def test_its_stages_are_replaced_and_both_states_are_told(
        self, draft: FlowVersion, admin: User, at: datetime
    ) -> None:
        changed = change(draft, admin, at, INTAKE, LEVEL_3)
        assert rules_of(changed.stages.all()) == [INTAKE, LEVEL_3]
        told = Event.objects.get(verb="flow.changed")
        assert [stage["code"] for stage in told.before["stages"]] == [s.code for s in DEFAULT_FLOW]
        assert told.after["stages"][1]["min_mlps_level"] == 3

    def test_two_who_edit_one_draft_do_not_overwrite_each_other(
        self, draft: FlowVersion, admin: User, at: datetime
    ) -> None:
        change(draft, admin, at, INTAKE)
        with pytest.raises(flows.StaleFlow):
            change(draft, admin, at, LEVEL_3)
        assert rules_of(draft.stages.all()) == [INTAKE]

    def test_a_draft_is_thrown_away(self, draft: FlowVersion, admin: User, at: datetime) -> None:
        flows.discard(flow=draft, expected_version=1, actor=admin, at=at)
        assert not FlowVersion.objects.drafts().exists()
        assert Event.objects.filter(verb="flow.discarded").count() == 1
        with pytest.raises(ChangedMeanwhile):
            publish_unread(draft, admin, at)

    def test_a_draft_of_a_draft_outlives_it(self, draft: FlowVersion, admin: User, at: datetime) -> None:
        other = flows.draft(name="另一稿", based_on=draft, actor=admin, at=at)
        flows.discard(flow=draft, expected_version=1, actor=admin, at=at)
        other.refresh_from_db()
        assert other.based_on == draft.based_on

    @pytest.mark.parametrize(
        "role", sorted(set(Role) - {Role.SYSTEM_ADMIN, Role.APPLICANT, Role.UNIT_APPROVER})
    )
    def test_only_the_system_administrator_edits(self, draft: FlowVersion, at: datetime, role: Role) -> None:
        other = member(role)
        for deed in (
            lambda: flows.draft(name="x", based_on=draft, actor=other, at=at),
            lambda: change(draft, other, at, INTAKE),
            lambda: publish(draft, other, at),
            lambda: flows.discard(flow=draft, expected_version=1, actor=other, at=at),
            lambda: dry_run(flow=draft, actor=other, at=at),
        ):
            with pytest.raises(RoleMissing):
                deed()


@pytest.mark.django_db
class TestPublishing:
    def test_a_draft_becomes_the_next_version_and_never_changes_again(
        self, draft: FlowVersion, admin: User, publisher: User, at: datetime
    ) -> None:
        member(Role.SERVICE_DESK)
        change(draft, admin, at, INTAKE)
        published = publish(draft, publisher, at)
        assert (published.number, published.in_force_from, published.published_at) == (2, at, at)
        with pytest.raises(flows.FlowPublished):
            change(published, admin, at, LEVEL_3, version=2)
        with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
            Stage.objects.filter(flow=published).update(working_days=9)

    def test_it_is_in_force_from_its_date_and_running_cases_stay_on_theirs(
        self, draft: FlowVersion, admin: User, publisher: User, at: datetime
    ) -> None:
        people = chain()
        begins = at + timedelta(days=30)
        change(draft, admin, at, INTAKE)
        publish(draft, publisher, at, begins=begins)
        before = case_of(people, at=at)
        after = case_of(people, at=begins)
        assert (before.flow.number, after.flow.number) == (1, 2)
        decide(before, people.unit_approver, begins)
        assert current_stage(before).code == "intake"
        assert before.stages.count() == 4

    def test_what_was_published_last_is_in_force_also_on_the_day_of_one_that_was_to_come(
        self, draft: FlowVersion, admin: User, publisher: User, at: datetime
    ) -> None:
        people, later = chain(), at + timedelta(days=30)
        change(draft, admin, at, INTAKE)
        publish(draft, publisher, at, begins=later)
        further = flows.draft(name="更正", based_on=draft, actor=admin, at=at)
        publish(further, publisher, at)
        assert [case_of(people, at=day).flow.number for day in (at, later, later + timedelta(days=1))] == [
            3
        ] * 3
        told = Event.objects.filter(verb="flow.published").latest("id")
        assert told.after["superseded"] == [2]
        assert list(FlowVersion.objects.telling_superseded().filter(superseded=True)) == [draft]

    def test_a_version_that_begins_after_one_that_is_to_come_leaves_it_its_time(
        self, draft: FlowVersion, admin: User, publisher: User, at: datetime
    ) -> None:
        people, soon, later = chain(), at + timedelta(days=10), at + timedelta(days=30)
        change(draft, admin, at, INTAKE)
        publish(draft, publisher, at, begins=soon)
        further = flows.draft(name="更正", based_on=draft, actor=admin, at=at)
        publish(further, publisher, at, begins=later)
        assert [case_of(people, at=day).flow.number for day in (at, soon, later)] == [1, 2, 3]
        assert list(FlowVersion.objects.to_come(at=at)) == [draft, further]
        assert "superseded" not in Event.objects.filter(verb="flow.published").latest("id").after

    def test_not_for_the_past(self, draft: FlowVersion, publisher: User, at: datetime) -> None:
        with pytest.raises(flows.FlowBeginsInThePast):
            publish(draft, publisher, at, begins=at - timedelta(seconds=1))

    def test_not_where_some_matters_would_be_approved_by_nobody(
        self, draft: FlowVersion, admin: User, publisher: User, at: datetime
    ) -> None:
        chain()
        change(draft, admin, at, LEVEL_3)
        with pytest.raises(Invalids) as refusal:
            publish(draft, publisher, at)
        assert [error.code for error in refusal.value.errors] == ["flow-skips-matters"]

    def test_not_where_more_shall_sign_than_there_are(
        self, draft: FlowVersion, admin: User, at: datetime
    ) -> None:
        chain()
        change(draft, admin, at, replace(INTAKE, quorum="some", quorum_count=2))
        (problem,) = flows.problems(flow=draft, at=at)
        assert (problem.code, problem.pointers) == ("quorum-beyond-holders", ("/stages/0/quorum_count",))
        member(Role.SERVICE_DESK)
        assert flows.problems(flow=draft, at=at) == []

    def test_who_has_drafted_it_does_not_publish_it(
        self, draft: FlowVersion, admin: User, publisher: User, at: datetime
    ) -> None:
        chain()
        with pytest.raises(flows.OwnFlow):
            publish(draft, admin, at)
        told = Event.objects.get(verb="flow.published", outcome=Outcome.REFUSED)
        assert (told.actor, told.reason) == (admin.audit_ref, "own-flow")
        published = publish(draft, publisher, at)
        assert (published.editors, published.published_by) == ([admin.pk], publisher)

    def test_nor_who_has_changed_anything_in_it(
        self, draft: FlowVersion, publisher: User, at: datetime
    ) -> None:
        chain()
        change(draft, publisher, at, INTAKE)
        with pytest.raises(flows.OwnFlow):
            publish(draft, publisher, at)
        assert publish(draft, member(Role.SYSTEM_ADMIN), at).number == 2

    def test_nor_who_has_written_the_draft_it_was_copied_from(
        self, draft: FlowVersion, admin: User, publisher: User, at: datetime
    ) -> None:
        chain()
        change(draft, admin, at, INTAKE)
        copied = flows.draft(name="另一稿", based_on=draft, actor=publisher, at=at)
        with pytest.raises(flows.OwnFlow):
            publish(copied, admin, at)
        assert publish(copied, member(Role.SYSTEM_ADMIN), at).number == 2

    def test_nor_who_has_changed_that_draft_since_it_was_read(
        self, draft: FlowVersion, admin: User, publisher: User, at: datetime
    ) -> None:
        chain()
        change(FlowVersion.objects.get(pk=draft.pk), publisher, at, INTAKE)
        copied = flows.draft(name="另一稿", based_on=draft, actor=admin, at=at)
        assert rules_of(copied.stages.all()) == [INTAKE]
        with pytest.raises(flows.OwnFlow):
            publish(copied, publisher, at)

    def test_nothing_is_copied_from_a_draft_that_was_thrown_away_since(
        self, draft: FlowVersion, admin: User, at: datetime
    ) -> None:
        flows.discard(flow=draft, expected_version=1, actor=admin, at=at)
        with pytest.raises(ChangedMeanwhile):
            flows.draft(name="另一稿", based_on=draft, actor=admin, at=at)

    def test_what_was_published_before_is_not_its_drafters_any_more(
        self, draft: FlowVersion, admin: User, publisher: User, at: datetime
    ) -> None:
        chain()
        following = flows.draft(
            name="2028 年流程", based_on=publish(draft, publisher, at), actor=publisher, at=at
        )
        assert publish(following, admin, at).published_by == admin

    def test_the_database_refuses_one_person_too(self, draft: FlowVersion, admin: User, at: datetime) -> None:
        with pytest.raises(IntegrityError, match="flow_published_by_another"), transaction.atomic():
            FlowVersion.objects.filter(pk=draft.pk).update(
                number=2, in_force_from=at, published_at=at, published_by=admin
            )

    def test_a_published_version_needs_its_number(self, at: datetime) -> None:
        with pytest.raises(IntegrityError, match="flow_published_has_its_number"), transaction.atomic():
            FlowVersion.objects.create(name="x", published_at=at)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"code": "Not A Code"}, "stage-code-unfit", "code"),
        ({"code": ""}, "stage-code-unfit", "code"),
        ({"name": " "}, "stage-name-missing", "name"),
        ({"name_en": ""}, "stage-name-missing", "name_en"),
        ({"role": "applicant"}, "stage-role-unfit", "role"),
        ({"role": "leader"}, "stage-role-unfit", "role"),
        ({"role": "system_admin"}, "stage-role-unfit", "role"),
        ({"also_roles": ("service_desk",)}, "stage-role-twice", "also_roles"),
        ({"working_days": -1}, "stage-limit-unfit", "working_days"),
        ({"working_days": 61}, "stage-limit-unfit", "working_days"),
        ({"quorum": "some"}, "quorum-unfit", "quorum_count"),
        ({"quorum": "some", "quorum_count": 1}, "quorum-unfit", "quorum_count"),
        ({"quorum": "one", "quorum_count": 2}, "quorum-unfit", "quorum_count"),
        ({"quorum": "most"}, "quorum-unfit", "quorum_count"),
        ({"only_zone": "moon"}, "condition-unfit", "only_zone"),
        ({"auto_sizes": "huge"}, "condition-unfit", "auto_sizes"),
        ({"min_mlps_level": 6}, "condition-unfit", "min_mlps_level"),
        ({"min_amount": Decimal(-1)}, "condition-unfit", "min_amount"),
        ({"auto_below_amount": Decimal("1e13")}, "condition-unfit", "auto_below_amount"),
    ],
)
def test_what_is_wrong_with_a_stage_is_told_with_its_field(changes: dict, code: str, field: str) -> None:
    assert wrong(replace(INTAKE, **changes)) == [(code, (f"/stages/0/{field}",))]


def test_two_stages_do_not_share_a_code() -> None:
    (problem,) = flows.stage_problems([INTAKE, INTAKE])
    assert (problem.code, problem.pointers) == ("stage-code-twice", ("/stages/1/code",))


@pytest.mark.django_db
class TestDryRun:
    @pytest.fixture
    def people(self) -> Chain:
        return chain()

    def test_it_names_the_cases_that_would_have_gone_another_way(
        self, people: Chain, draft: FlowVersion, admin: User, at: datetime
    ) -> None:
        level_3 = [case_of(people, at=at) for _one in range(2)]
        case_of(people, at=at, matter=replace(COMMITTED, mlps_level=2))
        change(draft, admin, at, *DEFAULT_FLOW, LEVEL_3)
        found = dry_run(flow=draft, actor=admin, at=at)
        assert (found.compared, found.unknown) == (3, 0)
        assert {one.case for one in found.rerouted} == set(level_3)
        first = found.rerouted[0]
        assert [station.code for station in first.after] == [s.code for s in first.before] + ["level_3"]

    def test_other_names_and_limits_are_no_other_way(
        self, people: Chain, draft: FlowVersion, admin: User, at: datetime
    ) -> None:
        case_of(people, at=at)
        renamed = [
            replace(stage, name="新名", code=f"s-{stage.code}", working_days=9) for stage in DEFAULT_FLOW
        ]
        change(draft, admin, at, *renamed)
        assert dry_run(flow=draft, actor=admin, at=at).rerouted == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"quorum": "all"},
            {"also_roles": ("cloud_admin",)},
            {"auto_below_amount": Decimal(500)},
            {"role": "cloud_admin"},
        ],
    )
    def test_who_signs_and_how_many_and_a_rule_are(
        self, people: Chain, draft: FlowVersion, admin: User, at: datetime, changes: dict
    ) -> None:
        case_of(people, at=at, matter=replace(INSTANT, amount=Decimal(100)))
        stages = [replace(s, **changes) if s.code == "instant_intake" else s for s in DEFAULT_FLOW]
        change(draft, admin, at, *stages)
        assert len(dry_run(flow=draft, actor=admin, at=at).rerouted) == 1

    def test_a_returned_case_is_compared_by_its_last_revision(
        self, people: Chain, draft: FlowVersion, admin: User, at: datetime
    ) -> None:
        case = decide(case_of(people, at=at), people.unit_approver, at, "return")
        case_of(people, at=at, subject_id=case.subject_id, revision=2, revision_hash="b" * 64, matter=INSTANT)
        assert dry_run(flow=draft, actor=admin, at=at).rerouted == []

    def test_cases_that_nothing_is_known_of_are_counted_and_not_compared(
        self, people: Chain, draft: FlowVersion, admin: User, at: datetime
    ) -> None:
        Case.objects.filter(pk=case_of(people, at=at).pk).update(zone="")
        found = dry_run(flow=draft, actor=admin, at=at)
        assert (found.compared, found.unknown, found.rerouted) == (0, 1, [])

    def test_it_asks_four_times_however_many_cases(
        self, people: Chain, draft: FlowVersion, admin: User, at: datetime, django_assert_num_queries
    ) -> None:
        for _case in range(30):
            case_of(people, at=at)
        asker = User.objects.get(pk=admin.pk)
        with django_assert_num_queries(4):  # the role, the draft's stages, the cases, their stages
            assert dry_run(flow=draft, actor=asker, at=at, cases=20).compared == 20


@pytest.mark.django_db(transaction=True)
def test_of_two_who_publish_at_once_each_gets_a_number_or_is_told(at: datetime) -> None:
    chain()
    admin, publisher = member(Role.SYSTEM_ADMIN), member(Role.SYSTEM_ADMIN)
    base = FlowVersion.objects.get()
    drafts = [flows.draft(name=f"稿 {n}", based_on=base, actor=admin, at=at) for n in range(2)]
    outcomes = at_once([lambda d=d: publish_unread(d, publisher, at) for d in drafts])
    assert {type(outcome) for outcome in outcomes if outcome is not None} <= {ChangedMeanwhile}
    numbers = list(
        FlowVersion.objects.exclude(number=None).values_list("number", flat=True).order_by("number")
    )
    assert numbers == list(range(1, 2 + outcomes.count(None)))


def publish_unread(draft: FlowVersion, admin: User, at: datetime) -> FlowVersion:
    return flows.publish_draft(flow=draft, in_force_from=at, expected_version=1, actor=admin, at=at)


@pytest.mark.django_db(transaction=True)
def test_a_draft_that_is_being_changed_is_copied_with_who_changes_it(
    draft: FlowVersion, admin: User, publisher: User, at: datetime
) -> None:
    with transaction.atomic():
        change(draft, publisher, at, INTAKE)
        copying = held_up(lambda: flows.draft(name="另一稿", based_on=draft, actor=admin, at=at))
    copying.result()
    copied = FlowVersion.objects.get(name="另一稿")
    assert (copied.editors, rules_of(copied.stages.all())) == ([admin.pk, publisher.pk], [INTAKE])
