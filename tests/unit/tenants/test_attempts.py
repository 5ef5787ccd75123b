"""Attempts to sign in, counted by the minute for all web processes."""

from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.access.attempts import PER_ADDRESS, PER_NAME, address_of, count, forget, give_back
from tenants.access.models import AttemptCount

pytestmark = pytest.mark.django_db
HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"


def seconds(times: int, *, name: str | None = None, address: str = HERE, now: datetime) -> list[int]:
    return [count(address=address, name=name, now=now).seconds for _each in range(times)]


def test_a_name_is_tried_ten_times_a_minute_from_one_address(at: datetime) -> None:
    assert seconds(PER_NAME + 1, name="root", now=at) == [0] * PER_NAME + [60]
    assert seconds(1, name="root", now=at + timedelta(seconds=45)) == [15]
    assert seconds(1, name="somebody", now=at) == [0]
    assert seconds(1, name="root", address=ELSEWHERE, now=at) == [0]
    assert seconds(1, name="root", now=at + timedelta(minutes=1)) == [0]


@pytest.mark.parametrize("spelling", [" root", "ROOT\u00a0", "ｒｏｏｔ", "\troot\n"])
def test_no_spelling_of_a_name_is_a_new_start(spelling: str, at: datetime) -> None:
    seconds(PER_NAME, name="root", now=at)
    assert seconds(1, name=spelling, now=at) == [60]


def test_an_address_is_heard_sixty_times_a_minute_and_the_first_time_too_many_is_noticed(
    at: datetime,
) -> None:
    for number in range(PER_ADDRESS):
        assert not count(address=HERE, name=f"name-{number}", now=at).seconds
    more = [count(address=HERE, name="another", now=at) for _each in range(3)]
    assert [(each.seconds, each.noticed) for each in more] == [(60, True), (60, False), (60, False)]
    assert count(address=ELSEWHERE, name="another", now=at).seconds == 0


def test_names_make_no_rows_once_their_address_is_not_heard_any_more(at: datetime) -> None:
    for number in range(PER_ADDRESS + 20):
        count(address=HERE, name=f"name-{number}", now=at)
    assert AttemptCount.objects.count() == 1 + PER_ADDRESS


def test_what_was_right_does_not_count_against_others_at_the_address(at: datetime) -> None:
    for number in range(PER_ADDRESS + 20):
        assert not count(address=HERE, name=f"name-{number}", now=at).seconds
        give_back(address=HERE, now=at)
    give_back(address=ELSEWHERE, now=at)
    assert seconds(PER_ADDRESS + 1, now=at) == [0] * PER_ADDRESS + [60]


def test_all_addresses_of_a_line_with_ipv6_are_one(at: datetime) -> None:
    seconds(PER_ADDRESS, address="2001:db8:1:2::1", now=at)
    assert seconds(1, address="2001:db8:1:2:ffff::2", now=at) == [60]
    assert seconds(1, address="2001:db8:1:3::1", now=at) == [0]
    seconds(PER_ADDRESS, now=at)
    assert seconds(1, address=f"::ffff:{HERE}", now=at) == [60]


def test_what_was_typed_as_a_name_is_stored_nowhere(at: datetime) -> None:
    count(address=HERE, name="my-secret-password\ud800\0", now=at)
    assert all(len(row.who) == 64 and "secret" not in row.who for row in AttemptCount.objects.all())


def test_the_same_is_another_digest_under_another_key(at: datetime, settings: LazySettings) -> None:
    seconds(PER_NAME, name="root", now=at)
    settings.SECRET_KEY = "another"
    assert seconds(1, name="root", now=at) == [0]


def test_it_takes_two_statements(at: datetime) -> None:
    with CaptureQueriesContext(connection) as asked:
        count(address=HERE, name="root", now=at)
    assert len(asked) == 2


def test_what_is_over_is_let_go_of(at: datetime) -> None:
    count(address=HERE, name="root", now=at)
    count(address=ELSEWHERE, now=at + timedelta(seconds=30))
    assert forget(now=at + timedelta(minutes=1)) == 2
    assert AttemptCount.objects.count() == 1


def test_no_sign_in_waits_for_the_disk() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'access_attemptcount'")
        assert cursor.fetchone() == ("u",)


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        (0, {"REMOTE_ADDR": HERE, "HTTP_X_FORWARDED_FOR": "10.0.0.1"}, HERE),
        (1, {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": f"10.0.0.1, {HERE}"}, HERE),
        (1, {"REMOTE_ADDR": HERE}, HERE),
        (2, {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": HERE}, HERE),
        (1, {"REMOTE_ADDR": ""}, ""),
        (0, {}, ""),
    ],
)
def test_the_address_is_what_the_trusted_proxy_says(
    proxies: int, told: dict[str, str], address: str, settings: LazySettings
) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": proxies}
    assert address_of(told) == address
