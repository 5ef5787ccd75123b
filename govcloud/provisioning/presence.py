"""Which workers are there, and whether the sweep comes: each writes down that it was at work."""

from datetime import datetime, timedelta

from django.conf import settings

from govcloud.provisioning.models import Part, Sighting, Step

OFTEN_ENOUGH = timedelta(seconds=10)  # a busy worker takes many turns a second
AWAY = timedelta(minutes=2)  # a worker not seen for so long, and that holds no step, is taken for gone
MISSED = timedelta(seconds=30)  # a sweep that is so late does not come
FORGOTTEN = timedelta(days=1)
SWEEP = "provisioning"


def worker_seen(*, name: str, at: datetime) -> None:
    lately = Sighting.objects.filter(part=Part.WORKER, name=name, seen_at__gt=at - OFTEN_ENOUGH)
    if name and not lately.exists():
        _seen(Part.WORKER, name, at)


def sweep_seen(*, at: datetime) -> None:
    _seen(Part.SWEEP, SWEEP, at)


def _seen(part: Part, name: str, at: datetime) -> None:
    Sighting.objects.bulk_create(
        [Sighting(part=part, name=name, seen_at=at)],
        update_conflicts=True,
        unique_fields=["part", "name"],
        update_fields=["seen_at"],
    )


def workers(*, at: datetime) -> list[tuple[str, datetime, bool]]:
    """Every worker seen lately by name, when that was, and whether it is there.

    One that is long at one thing takes no turns, but holds a step by a lease that it renews.
    """
    seen = Sighting.objects.filter(part=Part.WORKER).order_by("name").values_list("name", "seen_at")
    held = Step.objects.filter(next_run_at__isnull=False, lease_until__gt=at).values_list("worker", flat=True)
    holding = set(held)
    return [(name, last, last > at - AWAY or name in holding) for name, last in seen]


def workers_present(*, at: datetime) -> int:
    return sum(there for _name, _last, there in workers(at=at))


def last_sweep() -> datetime | None:
    return (
        Sighting.objects.filter(part=Part.SWEEP)
        .order_by("-seen_at")
        .values_list("seen_at", flat=True)
        .first()
    )


def lateness(last: datetime, *, at: datetime) -> timedelta:
    """How long ago the sweep after the last one should have come."""
    return max(timedelta(), at - last - settings.SWEEP)


def overdue(last: datetime, *, at: datetime) -> bool:
    return lateness(last, at=at) > max(MISSED, settings.SWEEP * 5)


def forget(*, at: datetime) -> None:
    """Workers that have not been seen for a day: machines are renamed and taken away."""
    Sighting.objects.filter(part=Part.WORKER, seen_at__lt=at - FORGOTTEN).delete()
