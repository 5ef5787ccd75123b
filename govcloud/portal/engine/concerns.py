"""What of the engine's figures needs somebody's attention now. The example alert rules in ``deploy/`` ask for the same."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from govcloud.clouds.models import USABLE
from govcloud.orders.placing import Backlog
from govcloud.portal.templatetags.portal import moment_in_words, named
from govcloud.provisioning import presence
from govcloud.provisioning.overview import Overview, Traffic
from govcloud.reconciliation.figures import Compared

OLD = 120  # seconds that a step may be due
ERROR_RATE = 0.1  # of a cloud's calls in the last five minutes
WAITS_LONG = timedelta(hours=1)  # of a part of an order for a place
FEW = 10  # calls: a rate of so few says nothing


def of(seen: Overview, compared: Iterable[Compared], backlog: Backlog) -> list[str]:
    """In the reader's language; empty where all is well."""
    return [*_of_engine(seen), *_of_places(backlog, at=seen.at), *_of_records(compared)]


def _of_engine(seen: Overview) -> Iterator[str]:
    if not seen.workers_present:
        yield _("No worker has been seen in the last two minutes: nothing is being built.")
    last = seen.sweep.last_at
    if last is None or presence.overdue(last, at=seen.at):
        yield _("The sweep does not come: is the scheduler running?")
    if seen.queue.oldest and seen.queue.oldest.age_seconds > OLD:
        yield _("Steps wait for longer than two minutes: there are too few workers, or they hang.")
    if seen.parked.operations:
        yield ngettext(
            "%(count)s operation waits for an administrator.",
            "%(count)s operations wait for an administrator.",
            seen.parked.operations,
        ) % {"count": seen.parked.operations}
    for traffic in seen.clouds:
        if traffic.differences:
            yield _differing(traffic)
        if traffic.open and traffic.health not in USABLE:
            yield _("%(cloud)s: %(state)s. What is under way there waits.") % {
                "cloud": named(traffic.cloud), "state": traffic.health.label,
            }  # fmt: skip
        latest = traffic.windows[0]
        if latest.calls >= FEW and latest.error_rate > ERROR_RATE:
            yield _("%(cloud)s fails: %(rate)s of its calls in the last five minutes.") % {
                "cloud": named(traffic.cloud), "rate": f"{latest.error_rate:.0%}",
            }  # fmt: skip


def _of_places(backlog: Backlog, *, at: datetime) -> Iterator[str]:
    if backlog.since is not None and at - backlog.since > WAITS_LONG:
        yield ngettext(
            "%(count)s part of an order has no place on any cloud, and has waited for one since %(since)s.",
            "%(count)s parts of orders have no place on any cloud; the first has waited for one since %(since)s.",
            backlog.parts,
        ) % {"count": backlog.parts, "since": moment_in_words(backlog.since)}


def _of_records(compared: Iterable[Compared]) -> Iterator[str]:
    for each in compared:
        if each.overdue:
            yield _("%(cloud)s has not been compared with the records as a whole since %(since)s: the page of comparisons tells why.") % {
                "cloud": named(each.cloud), "since": moment_in_words(each.since),
            }  # fmt: skip


def _differing(traffic: Traffic) -> str:
    told = ngettext(
        "%(cloud)s differs from the catalogue in %(count)s size.",
        "%(cloud)s differs from the catalogue in %(count)s sizes.",
        len(traffic.differences),
    ) % {"cloud": named(traffic.cloud), "count": len(traffic.differences)}
    if not traffic.cloud.sizes_must_match:
        return told
    return told + " " + _("What differs is not built there.")
