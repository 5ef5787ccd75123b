"""Which workers are there, and whether the sweep comes: each writes down that it was at work."""

from datetime import datetime, timedelta

from govcloud.provisioning.models import Part, Sighting

OFTEN_ENOUGH = timedelta(seconds=10)  # a busy worker takes many turns a second
AWAY = timedelta(minutes=2)  # a worker not seen for so long, and with no lease that runs, is taken for gone
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


def forget(*, at: datetime) -> None:
    """Workers that have not been seen for a day: machines are renamed and taken away."""
    Sighting.objects.filter(part=Part.WORKER, seen_at__lt=at - FORGOTTEN).delete()
