"""Accounts that are locked after failures: how many, how close together, and for how long."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from govcloud.audit.refusals import refuse
from tenants.lockout import LOCKED, first_since, locked_until
from tenants.models import User
from tests.factories.tenants import UserFactory

pytestmark = pytest.mark.django_db


def failed(user: User, minutes: Sequence[int], *, at: datetime, reason: str = "wrong-credentials") -> None:
    for minute in minutes:
        moment = at + timedelta(minutes=minute)
        refuse(actor=user, verb="session.opened", subject=user, at=moment, reason=reason)


@pytest.mark.parametrize("minutes", [(0, 0, 0, 0, 0), (0, 7, 14, 21, 28), (-40, -35, 0, 7, 14, 21, 28)])
def test_it_is_for_half_an_hour_from_the_fifth_failure(minutes: tuple[int, ...], at: datetime) -> None:
    user = UserFactory()
    failed(user, minutes, at=at)
    last = at + timedelta(minutes=minutes[-1])
    until = last + timedelta(minutes=30)
    for later in (0, 3, 29):
        assert locked_until(user, at=last + timedelta(minutes=later)) == until
    assert locked_until(user, at=until) is None


@pytest.mark.parametrize("minutes", [(0, 7, 14, 21), (0, 8, 16, 24, 32), (0, 1, 2, 3, 30)])
def test_fewer_or_further_apart_lock_nothing(minutes: tuple[int, ...], at: datetime) -> None:
    user = UserFactory()
    failed(user, minutes, at=at)
    assert locked_until(user, at=at + timedelta(minutes=minutes[-1])) is None


def test_one_more_failure_after_the_lock_begins_to_count_anew(at: datetime) -> None:
    user = UserFactory()
    failed(user, (0, 7, 14, 21, 28, 58), at=at)
    assert locked_until(user, at=at + timedelta(minutes=58)) is None


def test_what_is_tried_meanwhile_does_not_prolong_it_and_is_told_once(at: datetime) -> None:
    user, meanwhile = UserFactory(), at + timedelta(minutes=40)
    failed(user, (0, 7, 14, 21, 28), at=at)
    assert first_since(user, at=meanwhile)
    failed(user, (40,), at=at, reason=LOCKED)
    assert locked_until(user, at=meanwhile) == at + timedelta(minutes=58)
    assert not first_since(user, at=meanwhile)
