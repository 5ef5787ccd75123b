"""A POST that is sent again because its answer was lost has its effect once."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from api.idempotency import KEPT
from api.models import IdempotencyRecord
from govcloud.orders.models import Order
from tenants.models import User
from tests.api.story import order_body
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


@pytest.fixture
def on() -> Scene:
    return scene()


def test_the_same_request_again_is_answered_from_the_record(signed_in: SignedIn, on: Scene) -> None:
    client = signed_in(on.applicant)
    first, again = (client.post("/api/v1/orders", order_body(on.system.uuid), headers=KEY) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert (again["Location"], again["ETag"]) == (first["Location"], first["ETag"])
    assert again["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1


def test_the_key_counts_alike_with_quotes_and_without(signed_in: SignedIn, on: Scene) -> None:
    client = signed_in(on.applicant)
    for key in ('"abc"', "abc"):
        client.post("/api/v1/orders", order_body(on.system.uuid), headers={"Idempotency-Key": key})
    assert Order.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(signed_in: SignedIn, on: Scene) -> None:
    client = signed_in(on.applicant)
    client.post("/api/v1/orders", order_body(on.system.uuid), headers=KEY)
    answer = client.post("/api/v1/orders", order_body(on.system.uuid, title="another"), headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert Order.objects.count() == 1


def test_keys_are_each_persons_own(signed_in: SignedIn, on: Scene) -> None:
    colleague = member("applicant", on.department)
    for person in (on.applicant, colleague):
        assert (
            signed_in(person).post("/api/v1/orders", order_body(on.system.uuid), headers=KEY).status_code
            == 201
        )
    assert Order.objects.count() == 2


def test_a_refused_request_leaves_no_record_and_can_be_corrected(signed_in: SignedIn, on: Scene) -> None:
    client = signed_in(on.applicant)
    assert client.post("/api/v1/orders", order_body(on.system.uuid, items=[]), headers=KEY).status_code == 422
    assert not IdempotencyRecord.objects.exists()
    assert client.post("/api/v1/orders", order_body(on.system.uuid), headers=KEY).status_code == 201


def test_a_record_is_kept_for_24_hours(signed_in: SignedIn, on: Scene) -> None:
    client = signed_in(on.applicant)
    client.post("/api/v1/orders", order_body(on.system.uuid), headers=KEY)
    record = IdempotencyRecord.objects.get()
    assert record.expires_at - record.created_at == KEPT
    IdempotencyRecord.objects.update(expires_at=record.created_at)
    client.post("/api/v1/orders", order_body(on.system.uuid), headers=KEY)
    assert Order.objects.count() == 2


@pytest.mark.parametrize("key", ["", '""', "x" * 256])
def test_a_malformed_key_is_refused(signed_in: SignedIn, on: Scene, key: str) -> None:
    answer = signed_in(on.applicant).post(
        "/api/v1/orders", order_body(on.system.uuid), headers={"Idempotency-Key": key}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-malformed")


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_running_the_second_is_told_so(signed_in: SignedIn) -> None:
    on = scene()
    client = signed_in(on.applicant)
    started, finish = threading.Event(), threading.Event()

    def hold_the_key() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            name = f"idempotency:{on.applicant.pk}:running"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
            started.set()
            finish.wait(30)
        connection.close()

    first = threading.Thread(target=hold_the_key)
    first.start()
    started.wait(30)
    answer = client.post("/api/v1/orders", order_body(on.system.uuid), headers={"Idempotency-Key": "running"})
    finish.set()
    first.join()
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-key-in-use")
    assert not Order.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_same_request_from_two_at_once_has_its_effect_once(signed_in: SignedIn) -> None:
    on = scene()
    clients = [signed_in(on.applicant) for _ in range(2)]
    answers: list[int] = []
    gate = threading.Barrier(2)

    def send(client: APIClient) -> None:
        gate.wait(30)
        answers.append(client.post("/api/v1/orders", order_body(on.system.uuid), headers=KEY).status_code)
        connection.close()

    threads = [threading.Thread(target=send, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Order.objects.count() == 1
    assert sorted(answers) in ([201, 201], [201, 409])
