"""``/metrics``: what Prometheus reads. Figures of the whole installation, from the database, at the time of the scrape.

Web processes are many and workers are others again, so none of them counts for itself. Labels are clouds, services,
outcomes, states and kinds of steps: a few dozen series per cloud, whatever departments build, and nothing of theirs.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address

from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from api.problems import NotAllowed, Unauthenticated, problem
from govcloud import clock
from govcloud.audit import exporting, sealing
from govcloud.clouds.models import USABLE
from govcloud.notifications.overview import seen as notices_seen
from govcloud.orders import placing
from govcloud.organisation import rhythm
from govcloud.provisioning import overview
from govcloud.provisioning.models import CallCount
from govcloud.reconciliation import figures
from govcloud.reconciliation.vocabulary import FindingKind


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    refused = _refusal(request)
    if refused is not None:
        return refused
    registry = CollectorRegistry()
    at = clock.now()
    registry.register(Engine(overview.read(at=at)))
    registry.register(Records(figures.compared(at=at), figures.open_findings()))
    registry.register(Places(placing.backlog(), at=at))
    registry.register(Trail(unsealed=sealing.unsealed(), unexported=exporting.unexported(at=at)))
    registry.register(Access(late=rhythm.late_seconds(at=at)))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type, headers={"Cache-Control": "no-store"})


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """With METRICS_TOKEN set, whoever brings it; without, only this machine, and not through a proxy on it."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode()):
            return None
        return problem(Unauthenticated(reason="METRICS_TOKEN"), headers={"WWW-Authenticate": "Bearer"})
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return None if _local(request) and not forwarded else problem(NotAllowed())


def _local(request: HttpRequest) -> bool:
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False  # a socket in the file system: whoever is behind it, it is a proxy


class Engine(Collector):
    def __init__(self, seen: overview.Overview) -> None:
        self.seen = seen

    def collect(self) -> Iterator[Metric]:
        yield from self._queue()
        yield from self._people_and_parts()
        yield from self._clouds()
        yield from self._paces()
        yield from _notices(self.seen.at)

    def _queue(self) -> Iterator[Metric]:
        queue = self.seen.queue
        yield _gauge("govcloud_steps_due", "Steps that a worker could take now.", queue.due)
        age = queue.oldest.age_seconds if queue.oldest else 0.0
        yield _gauge(
            "govcloud_oldest_due_step_age_seconds", "How long the oldest due step has been due.", age
        )
        leases = GaugeMetricFamily("govcloud_steps_in_hand", "Steps in workers' hands.", labels=["lease"])
        leases.add_metric(["running"], queue.held)
        leases.add_metric(["expired"], queue.expired)
        yield leases
        states = GaugeMetricFamily(
            "govcloud_steps_in_cloud", "Steps that a cloud was asked for.", labels=["state"]
        )
        for state, steps in queue.states.items():
            states.add_metric([state], steps)
        yield states

    def _people_and_parts(self) -> Iterator[Metric]:
        seen, parked = self.seen, self.seen.parked
        yield _gauge(
            "govcloud_operations_parked", "Operations that wait for an administrator.", parked.operations
        )
        yield _gauge(
            "govcloud_oldest_parked_operation_age_seconds",
            "How long the oldest of them has waited.",
            parked.age_seconds,
        )
        yield _gauge(
            "govcloud_workers_present", "Workers seen in the last two minutes.", seen.workers_present
        )
        if seen.sweep.late_seconds is not None:
            yield _gauge(
                "govcloud_sweep_late_seconds",
                "How long ago the next sweep should have come.",
                seen.sweep.late_seconds,
            )

    def _clouds(self) -> Iterator[Metric]:
        labels = ["cloud", "service", "outcome"]
        calls = CounterMetricFamily(
            "govcloud_cloud_calls", "Calls to clouds, by how they ended.", labels=labels
        )
        seconds = CounterMetricFamily("govcloud_cloud_call_seconds", "Time spent in them.", labels=labels)
        rows = (
            CallCount.objects.values_list("cloud__code", "service", "outcome")
            .annotate(Sum("calls"), Sum("milliseconds"))
            .order_by("cloud__code", "service", "outcome")
        )
        for cloud, service, outcome, made, milliseconds in rows:
            calls.add_metric([cloud, service, outcome], made)
            seconds.add_metric([cloud, service, outcome], float(milliseconds) / 1000)
        yield calls
        yield seconds
        differing = GaugeMetricFamily(
            "govcloud_cloud_size_differences",
            "Sizes in which a cloud has something otherwise than the catalogue.",
            labels=["cloud"],
        )
        for traffic in self.seen.clouds:
            differing.add_metric([traffic.cloud.code], len(traffic.differences))
        yield differing
        usable = GaugeMetricFamily(
            "govcloud_cloud_usable",
            "Whether an open cloud answered at the last look, and let us in.",
            labels=["cloud", "state"],
        )
        for traffic in self.seen.clouds:
            if traffic.open:
                usable.add_metric([traffic.cloud.code, traffic.health], traffic.health in USABLE)
        yield usable

    def _paces(self) -> Iterator[Metric]:
        done = GaugeMetricFamily(
            "govcloud_steps_done_last_day", "Steps done in the last day.", labels=["kind"]
        )
        took = GaugeMetricFamily(
            "govcloud_step_seconds_last_day", "How long they took.", labels=["kind", "quantile"]
        )
        for pace in self.seen.paces:
            done.add_metric([pace.kind], pace.done)
            took.add_metric([pace.kind, "0.5"], pace.median_seconds)
            took.add_metric([pace.kind, "0.95"], pace.p95_seconds)
        yield done
        yield took


class Records(Collector):
    """How far records and clouds are the same, as far as anybody has looked."""

    def __init__(self, compared: Sequence[figures.Compared], found: Mapping[FindingKind, int]) -> None:
        self.compared, self.found = compared, found

    def collect(self) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "govcloud_comparison_age_seconds",
            "How long ago the last whole comparison with a cloud that was carried out began.",
            labels=["cloud"],
        )
        for each in self.compared:
            age.add_metric([each.cloud.code], each.age_seconds)
        yield age
        found = GaugeMetricFamily(
            "govcloud_findings_open",
            "Differences between records and clouds that wait for a person.",
            labels=["kind"],
        )
        for kind, count in self.found.items():
            found.add_metric([kind], count)
        yield found


class Trail(Collector):
    """The audit trail, as far as it has no seal yet or has not left the machine: for how many seconds."""

    def __init__(self, *, unsealed: float, unexported: float) -> None:
        self.unsealed, self.unexported = unsealed, unexported

    def collect(self) -> Iterator[Metric]:
        yield _gauge(
            "govcloud_audit_unsealed_age_seconds",
            "How long the oldest audit event has been waiting for its seal.",
            self.unsealed,
        )
        yield _gauge(
            "govcloud_audit_unexported_age_seconds",
            "How long the oldest sealed audit events have not been taken off the machine.",
            self.unexported,
        )


class Access(Collector):
    """Access reviews: for how many seconds the next one has been due."""

    def __init__(self, *, late: float) -> None:
        self.late = late

    def collect(self) -> Iterator[Metric]:
        yield _gauge(
            "govcloud_access_review_late_seconds",
            "How long the next access review has been due and is not open.",
            self.late,
        )


class Places(Collector):
    """Parts of orders that no cloud can take at present."""

    def __init__(self, backlog: placing.Backlog, *, at: datetime) -> None:
        self.backlog, self.at = backlog, at

    def collect(self) -> Iterator[Metric]:
        waiting = self.backlog
        yield _gauge(
            "govcloud_parts_without_place",
            "Parts of orders that wait for a place on a cloud.",
            waiting.parts,
        )
        yield _gauge(
            "govcloud_oldest_part_without_place_age_seconds",
            "How long the first of them has waited.",
            (self.at - waiting.since).total_seconds() if waiting.since is not None else 0.0,
        )


def _notices(at: datetime) -> Iterator[Metric]:
    """What is on its way to people and outside systems; see govcloud/notifications."""
    waiting = GaugeMetricFamily(
        "govcloud_deliveries_due", "Mail and calls of webhooks that are due.", labels=["channel"]
    )
    oldest = GaugeMetricFamily(
        "govcloud_oldest_due_delivery_age_seconds",
        "How long the oldest of them has been due.",
        labels=["channel"],
    )
    found = notices_seen(at=at)
    for channel, queue in found.channels.items():
        waiting.add_metric([channel], queue.due)
        oldest.add_metric([channel], queue.age_seconds)
    yield waiting
    yield oldest
    yield _gauge("govcloud_notices_to_dispatch", "Notices that nothing was made of yet.", found.to_dispatch)
    yield _gauge(
        "govcloud_webhooks_failing", "Webhooks in use whose last call failed.", found.failing_webhooks
    )
    yield _gauge("govcloud_webhooks_disabled", "Webhooks that are disabled.", found.disabled_webhooks)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)
