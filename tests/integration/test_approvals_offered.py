"""Whom a step can be shared with: everybody who is offered is accepted, and nobody else."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from govcloud.approvals import sharing
from govcloud.approvals.lifecycle import Status
from govcloud.approvals.models import Case, Seat
from govcloud.approvals.services import current_deciders
from tenants.models import Role, User
from tests.factories.approvals import case_of, chain, current_stage, decide
from tests.factories.situations import SITUATIONS, accepted, somewhere
from tests.factories.tenants import UserFactory, member

pytestmark = pytest.mark.django_db


def tried(deed: Callable[[User], object], everybody: list[User]) -> set[User]:
    """Whom it is accepted of, each by itself."""

    def undone(person: User) -> bool:
        with transaction.atomic():
            done = accepted(lambda: deed(User.objects.get(pk=person.pk)))
            transaction.set_rollback(True)
        return done

    return {person for person in everybody if undone(person)}


def sharers(case: Case, at: datetime) -> set[User]:
    """Who can decide it, and who has given a seat of it away."""
    return {*current_deciders(case=case, at=at), *(s.given_for for s in Seat.objects.exclude(given_for=None))}


@pytest.mark.parametrize("seed", range(SITUATIONS))
def test_who_is_offered_is_accepted_and_nobody_else(seed: int, at: datetime) -> None:
    case = somewhere(seed, at)
    if case.status != Status.OPEN:
        pytest.skip("it is decided already")
    stage = current_stage(case).code
    everybody = [*User.objects.all()]
    for actor in sharers(case, at):
        offered = sharing.offered(case=case, actor=actor, at=at)
        now = {"case": case, "stage": stage, "actor": actor, "at": at}

        def delegates(person: User, now: dict = now, **how: object) -> object:
            return sharing.delegate(**now, person=person, reason="出差", **how)

        def reviewers(person: User, now: dict = now) -> object:
            return sharing.add_reviewer(**now, person=person, reason="涉及容量")

        def consulted(person: User, now: dict = now) -> object:
            return sharing.consult(**now, person=person, question="容量够吗？", manner="advisory")

        assert set(offered.delegates) == tried(delegates, everybody)
        assert set(offered.reviewers) == tried(reviewers, everybody)
        assert set(offered.consulted) == tried(consulted, everybody)
        mine = Seat.objects.filter(given_for=actor, status="open", stage__case=case, stage__status="current")
        for seat in mine:
            again = next((people for each, people in offered.again if each == seat), [])
            assert set(again) == tried(lambda person, s=seat: delegates(person, seat=s.uuid), everybody)


def test_the_situations_are_not_all_alike(at: datetime) -> None:
    """Else the test above would hold for one situation alone."""
    seen = set()
    for seed in range(SITUATIONS):
        with transaction.atomic():
            case = somewhere(seed, at)
            for actor in sharers(case, at):
                offered = sharing.offered(case=case, actor=actor, at=at)
                lists = (offered.delegates, offered.reviewers, offered.consulted, offered.again)
                seen.add(tuple(map(len, lists)))
            transaction.set_rollback(True)
    for which in range(4):
        assert len({lengths[which] for lengths in seen}) > 1
    assert len(seen) > SITUATIONS / 2


def test_who_has_a_part_in_it_or_is_needed_is_not_offered(at: datetime) -> None:
    people = chain()
    case = decide(case_of(people, at=at), people.unit_approver, at)
    offered = sharing.offered(case=case, actor=people.service_desk, at=at)
    assert people.unit_approver not in offered.delegates  # has decided
    assert people.technical_reviewer not in offered.delegates  # alone can sign the next step
    colleague = member(Role.TECHNICAL_REVIEWER)
    offered = sharing.offered(case=case, actor=people.service_desk, at=at)
    assert {people.technical_reviewer, colleague} <= {*offered.delegates} & {*offered.reviewers}


def test_who_has_nothing_to_do_with_it_is_offered_nobody(at: datetime) -> None:
    people = chain()
    case = case_of(people, at=at)
    for actor in (people.service_desk, people.applicant, UserFactory()):
        assert sharing.offered(case=case, actor=actor, at=at) == sharing.Offered()


def test_offering_takes_as_many_statements_for_many_as_for_few(at: datetime) -> None:
    people = chain()
    case = case_of(people, at=at)

    def statements(many: int) -> int:
        for _each in range(many):
            member(Role.CLOUD_ADMIN)
        actor = User.objects.get(pk=people.unit_approver.pk)
        with CaptureQueriesContext(connection) as queries:
            offered = sharing.offered(case=case, actor=actor, at=at)
        assert len(offered.delegates) >= many
        return len(queries)

    assert statements(1) == statements(20) <= 10
