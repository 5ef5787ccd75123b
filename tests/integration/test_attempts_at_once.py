"""Attempts to sign in at the same moment, at several web processes, are counted as one after another would be."""

from datetime import datetime

import pytest

from tenants.access.attempts import PER_NAME, count
from tests.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_many_at_once_only_so_many_are_looked_at_as_are_allowed(at: datetime) -> None:
    looked_at: list[bool] = []

    def attempt() -> None:
        looked_at.append(not count(address="192.0.2.7", name="root", now=at).seconds)

    assert at_once([attempt] * 16) == [None] * 16
    assert looked_at.count(True) == PER_NAME
