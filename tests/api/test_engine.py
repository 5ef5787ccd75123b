"""What operators are answered of the engine; what the figures mean is tested in tests/unit/provisioning."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from govcloud import clock
from govcloud.gateways.openstack import Exchange
from govcloud.provisioning import presence, traffic
from govcloud.provisioning.models import Operation, Step
from tenants.models import Role, User
from tests.api.house import house
from tests.factories.tenants import member
from tests.unit.provisioning.scripted import operation

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
URL = "/api/v1/engine"


@pytest.fixture
def operator(signed_in: SignedIn) -> APIClient:
    return signed_in(member(Role.CLOUD_ADMIN))


def test_queue_leases_workers_and_clouds_in_one_answer(operator: APIClient) -> None:
    at = clock.now()
    waiting = operation(at - timedelta(minutes=3), "one")
    held = operation(at - timedelta(minutes=1), "two").steps.get()
    Step.objects.filter(pk=held.pk).update(
        state="settling", lease_until=at + timedelta(minutes=1), worker="celery@one"
    )
    presence.worker_seen(name="celery@one", at=at)
    presence.sweep_seen(at=at)
    traffic.note(
        step=held,
        exchanges=[Exchange("compute", "GET", "/servers", s, "", 10) for s in (200, 503)],
        at=at,
    )
    seen = operator.get(URL).json()
    assert seen["queue"]["due"] == 1
    assert seen["queue"]["oldest"]["operation"] == str(waiting.uuid)
    assert seen["queue"]["oldest"]["age_seconds"] >= 180
    (lease,) = seen["queue"]["leases"]
    assert (lease["operation"], lease["worker"], lease["expired"]) == (
        str(held.operation.uuid),
        "celery@one",
        False,
    )
    assert [worker["present"] for worker in seen["workers"]] == [True]
    by_cloud = {each["cloud"]: each["windows"][0] for each in seen["clouds"]}
    window = by_cloud[held.operation.cloud.code]
    assert (window["window"], window["calls"], window["error_rate"]) == ("5m", 2, 0.5)
    assert window["services"] == {"compute": {"calls": 2, "errors": 1}}


def test_the_link_leads_to_the_parked_operations_and_no_others(operator: APIClient) -> None:
    operation(clock.now(), "running")
    parked = operation(clock.now(), "app")
    Operation.objects.filter(pk=parked.pk).update(status="parked", parked_at=clock.now())
    seen = operator.get(URL).json()["parked"]
    assert seen["operations"] == 1
    listed = operator.get(seen["url"]).json()["results"]
    assert [each["uuid"] for each in listed] == [str(parked.uuid)]


def test_nothing_of_a_departments_is_in_it(signed_in: SignedIn) -> None:
    filled = house(2)
    Step.objects.update(state="settling", next_run_at=clock.now(), lease_until=clock.now())
    text = json.dumps(signed_in(member(Role.SYSTEM_ADMIN)).get(URL).json(), ensure_ascii=False)
    system = filled.on.system
    theirs = (system.code, system.name, system.department.name, filled.order.number)
    assert not [each for each in (*theirs, *Step.objects.values_list("label", flat=True)) if each in text]


def test_it_asks_the_database_as_often_whatever_there_is(operator: APIClient) -> None:
    operator.get(URL)
    with CaptureQueriesContext(connection) as idle:
        operator.get(URL)
    for number in range(5):
        step = operation(clock.now(), "app").steps.get()
        Step.objects.filter(pk=step.pk).update(lease_until=clock.now(), worker=f"celery@{number}")
        presence.worker_seen(name=f"celery@{number}", at=clock.now())
    with CaptureQueriesContext(connection) as busy:
        operator.get(URL)
    assert len(busy) == len(idle)


def test_fields_leave_out_the_rest(operator: APIClient) -> None:
    assert set(operator.get(f"{URL}?fields=at,queue").json()) == {"at", "queue"}
