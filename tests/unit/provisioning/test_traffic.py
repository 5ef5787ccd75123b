"""What is kept of the calls to clouds, and for how long."""

from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from govcloud.gateways.openstack import Exchange
from govcloud.provisioning import traffic
from govcloud.provisioning.lifecycle import Outcome, outcome_of
from govcloud.provisioning.models import CallCount, CloudCall
from tests.factories.catalog import CloudFactory
from tests.unit.provisioning.scripted import operation

pytestmark = pytest.mark.django_db


def exchange(
    method: str = "GET", status: int | None = 200, *, service: str = "compute", took: int = 10
) -> Exchange:
    return Exchange(service, method, "/servers", status, "req-1", took)


def counts() -> dict[tuple[str, str], tuple[int, int]]:
    rows = CallCount.objects.values_list("service", "outcome", "calls", "milliseconds")
    return {(service, outcome): (calls, took) for service, outcome, calls, took in rows}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ANSWERED),
        (202, Outcome.ANSWERED),
        (404, Outcome.ABSENT),
        (410, Outcome.ABSENT),
        (409, Outcome.REFUSED),
        (413, Outcome.REFUSED),
        (429, Outcome.THROTTLED),
        (503, Outcome.FAILED),
        (None, Outcome.UNANSWERED),
    ],
)
def test_an_outcome_follows_from_the_status(status: int | None, outcome: Outcome) -> None:
    assert outcome_of(status) == outcome


def test_every_call_is_counted_and_those_that_changed_or_failed_are_kept(at: datetime) -> None:
    step = operation(at, "app").steps.get()
    calls = [
        exchange(),
        exchange(took=5),
        exchange("POST", 202),
        exchange(status=503),
        exchange(service="volume"),
    ]
    traffic.note(step=step, exchanges=calls, at=at)
    assert counts() == {
        ("compute", "answered"): (3, 25), ("compute", "failed"): (1, 10), ("volume", "answered"): (1, 10),
    }  # fmt: skip
    assert sorted(CloudCall.objects.values_list("method", "status")) == [("GET", 503), ("POST", 202)]


def test_calls_of_one_minute_are_added_up_and_the_next_minute_has_a_row_of_its_own(at: datetime) -> None:
    cloud = CloudFactory()
    for seconds in (0, 20, 59, 60):
        traffic.count(cloud=cloud, exchanges=[exchange()], at=at + timedelta(seconds=seconds))
    assert list(CallCount.objects.order_by("minute").values_list("calls", flat=True)) == [3, 1]


def test_old_minutes_are_summed_up_so_that_no_call_is_ever_uncounted(at: datetime) -> None:
    cloud = CloudFactory()
    for hours in (0, 1, 47, 60):
        traffic.count(cloud=cloud, exchanges=[exchange()], at=at + timedelta(hours=hours))
    traffic.forget(at=at + timedelta(hours=60))
    assert list(CallCount.objects.order_by("minute").values_list("minute", "calls")) == [
        (at + timedelta(hours=47), 1), (at + timedelta(hours=60), 1), (None, 2),
    ]  # fmt: skip
    traffic.forget(at=at + timedelta(days=30))
    assert list(CallCount.objects.values_list("minute", "calls")) == [(None, 4)]


def test_single_calls_are_kept_for_as_long_as_the_setting_says(
    at: datetime, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CLOUD_CALLS_KEPT = timedelta(days=7)
    monkeypatch.setattr(traffic, "DELETED_AT_ONCE", 2)
    step = operation(at, "app").steps.get()
    for days in (0, 1, 2, 8):
        traffic.note(step=step, exchanges=[exchange("POST")], at=at + timedelta(days=days))
    assert traffic.forget(at=at + timedelta(days=9, seconds=1)) == 3
    assert CloudCall.objects.get().at == at + timedelta(days=8)
