"""What Prometheus reads, and who may."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from govcloud import clock
from govcloud.audit.models import Event
from govcloud.clouds.models import CloudHealth, HealthState
from govcloud.gateways.openstack import Exchange
from govcloud.notifications import dispatch
from govcloud.notifications.models import Webhook
from govcloud.orders.models import Placement
from govcloud.provisioning import presence, traffic
from govcloud.provisioning.models import Step
from tests.api.house import house
from tests.factories.catalog import CloudFactory
from tests.factories.clouds import differing, healthy
from tests.factories.notifications import posted, webhook
from tests.factories.orders import drafted, scene
from tests.factories.reconciliation import FindingFactory, SweepFactory
from tests.factories.tenants import UserFactory
from tests.unit.provisioning.scripted import operation

pytestmark = pytest.mark.django_db
Samples = dict[tuple[str, tuple[str, ...]], float]


def scraped(client: Client, **headers: str) -> Samples:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.content
    return {
        (sample.name, tuple(value for _label, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_whole_installation(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = clock.now()
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    step = operation(at - timedelta(seconds=200), "app").steps.get()
    presence.worker_seen(name="celery@one", at=at)
    presence.sweep_seen(at=at)
    for day, status in ((0, 200), (0, 503), (5, 200)):
        exchange = Exchange("compute", "GET", "/servers", status, "", 500)
        traffic.note(step=step, exchanges=[exchange], at=at - timedelta(days=day))
    samples = scraped(client)
    cloud = step.operation.cloud.code
    assert samples["govcloud_steps_due", ()] == 1
    assert samples["govcloud_oldest_due_step_age_seconds", ()] == 200
    assert samples["govcloud_workers_present", ()] == 1
    assert samples["govcloud_sweep_late_seconds", ()] == 0
    assert samples["govcloud_cloud_calls_total", (cloud, "answered", "compute")] == 2
    assert samples["govcloud_cloud_calls_total", (cloud, "failed", "compute")] == 1
    assert samples["govcloud_cloud_call_seconds_total", (cloud, "answered", "compute")] == 1.0


def test_sizes_that_differ_are_counted_by_cloud(client: Client) -> None:
    small, right = CloudFactory(code="small"), CloudFactory(code="right")
    for code in ("g.4c8g", "g.4c16g"):
        differing(small, code)
    samples = scraped(client)
    told = {cloud.code: samples["govcloud_cloud_size_differences", (cloud.code,)] for cloud in (small, right)}
    assert told == {"small": 2, "right": 0}


def test_whether_an_open_cloud_can_be_used_is_told_with_what_was_found(client: Client) -> None:
    at = clock.now()
    well, refusing, new = (CloudFactory(code=code) for code in ("well", "refusing", "new"))
    CloudFactory(code="closed", status="disabled")
    healthy(well, at=at)
    healthy(refusing, at=at)
    CloudHealth.objects.filter(cloud=refusing).update(state=HealthState.UNAUTHORIZED)
    told = {
        labels: value for (name, labels), value in scraped(client).items() if name == "govcloud_cloud_usable"
    }
    assert told == {
        (well.code, "ok"): 1,
        (refusing.code, "unauthorized"): 0,
        (new.code, "unknown"): 1,
    }


def test_how_far_records_and_clouds_were_compared_is_told(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = clock.now()
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    hours = [at - timedelta(hours=number) for number in range(40)]
    whole, failing = CloudFactory(code="whole"), CloudFactory(code="failing")
    for begun in (hours[9], hours[3]):
        SweepFactory(cloud=whole, requested_at=begun)
    SweepFactory(cloud=whole, requested_at=hours[1], extent="incremental")
    SweepFactory(cloud=whole, requested_at=hours[0], status="failed")
    for begun in (hours[30], hours[2]):
        SweepFactory(cloud=failing, requested_at=begun, status="failed")
    SweepFactory(cloud=CloudFactory(code="gone", status="retired"), requested_at=hours[39])
    CloudFactory(code="never")
    FindingFactory.create_batch(2, cloud=whole)
    FindingFactory(cloud=whole, status="dismissed")
    samples = scraped(client)
    ages = {
        labels: value
        for (name, labels), value in samples.items()
        if name == "govcloud_comparison_age_seconds"
    }
    assert ages == {("whole",): 3 * 3600, ("failing",): 30 * 3600}
    kinds = {labels: value for (name, labels), value in samples.items() if name == "govcloud_findings_open"}
    assert (kinds.pop(("foreign",)), set(kinds.values())) == (2, {0})


def test_what_waits_for_a_place_on_a_cloud_is_counted_with_its_age(client: Client) -> None:
    at = clock.now()
    order = drafted(scene(), at=at)
    assert scraped(client)["govcloud_oldest_part_without_place_age_seconds", ()] == 0
    for position, hours in enumerate((2, 3)):
        Placement.objects.create(
            order=order, position=position, zone="private", site="main", decided_at=at,
            first_decided_at=at - timedelta(hours=hours),
        )  # fmt: skip
    samples = scraped(client)
    assert samples["govcloud_parts_without_place", ()] == 2
    assert samples["govcloud_oldest_part_without_place_age_seconds", ()] == pytest.approx(3 * 3600, abs=60)


def test_a_counter_does_not_go_down_when_old_counts_are_summed_up(client: Client) -> None:
    at = clock.now()
    step = operation(at, "app").steps.get()
    for day in (0, 1, 5, 6):
        exchange = Exchange("compute", "GET", "/servers", 200, "", 1)
        traffic.note(step=step, exchanges=[exchange], at=at - timedelta(days=day))
    counted = ("govcloud_cloud_calls_total", (step.operation.cloud.code, "answered", "compute"))
    assert scraped(client)[counted] == 4
    traffic.forget(at=at)
    assert scraped(client)[counted] == 4


def test_an_event_that_waits_for_its_seal_is_told_though_no_seal_waits_to_leave(client: Client) -> None:
    """As when sealing has stopped: all that is sealed has been exported."""
    at = clock.now()
    for minutes in (200, 90):
        Event.objects.create(at=at, verb="thing.done", recorded_at=at - timedelta(minutes=minutes))
    samples = scraped(client)
    assert samples["govcloud_audit_unexported_age_seconds", ()] == 0
    assert 12_000 <= samples["govcloud_audit_unsealed_age_seconds", ()] < 12_060


def test_openmetrics_is_answered_where_it_is_asked_for(client: Client) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")


def test_nothing_of_a_departments_is_in_it(client: Client) -> None:
    filled = house(2)
    Step.objects.update(state="settling", next_run_at=clock.now(), lease_until=clock.now())
    text = client.get("/metrics").content.decode()
    system = filled.on.system
    for theirs in (
        system.code,
        system.name,
        system.department.name,
        filled.order.number,
        *Step.objects.values_list("label", flat=True),
    ):
        assert theirs not in text


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.8", {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 403),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, 403),
        ("10.0.0.8", {"Authorization": "Bearer guessed"}, 403),
    ],
)
def test_without_a_token_only_this_machine_may_read_it(
    client: Client, address: str, headers: dict[str, str], status: int
) -> None:
    assert client.get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == status


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer s3cret", 200),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        ("s3cret", 401),
        ("", 401),
        ("Bearer sécret", 401),
    ],
)
def test_with_a_token_whoever_brings_it_and_nobody_else(
    client: Client, settings: Any, authorization: str, status: int
) -> None:
    settings.METRICS_TOKEN = "s3cret"
    answer = client.get("/metrics", REMOTE_ADDR="127.0.0.1", HTTP_AUTHORIZATION=authorization)
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_what_is_on_its_way_to_people_and_systems_is_counted(client: Client) -> None:
    at = clock.now() - timedelta(seconds=300)
    webhook("https://bus.example/hook", at=at)
    posted(UserFactory(), at=at)
    dispatch.dispatch(at=at)
    posted(at=at)
    Webhook.objects.update(failures=1, failing_since=at)
    samples = scraped(client)
    assert samples["govcloud_notices_to_dispatch", ()] == 1
    assert [samples["govcloud_deliveries_due", (way,)] for way in ("mail", "webhook", "digest")] == [1, 1, 0]
    assert 300 <= samples["govcloud_oldest_due_delivery_age_seconds", ("mail",)] < 360
    assert samples["govcloud_webhooks_failing", ()] == 1
