"""The archive package of a closed order: a ZIP that says what was asked for, decided and done, and proves it.

    form.pdf                      the approval form
    revisions/1.json …            each revision's content, byte for byte what its hash is of
    decisions.json                who decided what, when, on which revision's hash, which event tells it, and by which other one the part
                                  was given to them (delegated, or added)
    attachments/…                 the files, under their names
    audit/events.json             the order's events, each with its place in a seal
    audit/seals.json              those seals, each with the digests of all its events: what the seal's digest is made from
    manifest.json                 the SHA-256 of every file above
    audit/package.json            the event ``order.packed`` with its seal: the SHA-256 of all files and of the manifest, how many
                                  events there were and where the last one is sealed

So everything hangs on one seal, by whose digest the package is held against the installation's chain (``documents.proof``).
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.models import Decision, SeatOrigin
from govcloud.audit import sealing
from govcloud.audit import services as audit
from govcloud.audit.models import Event, Outcome, Seal, SealedEvent
from govcloud.audit.verification import SEAL
from govcloud.documents.form import approval_form
from govcloud.errors import Conflict
from govcloud.orders import attachments, revisions
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from tenants.models import User

FORMAT = "govcloud-archive-2"
MANIFEST = "manifest.json"
PACKED = "audit/package.json"
CLOSED = frozenset({Status.FULFILLED, Status.REJECTED, Status.CANCELLED, Status.WITHDRAWN})
GIVING = {"case.delegated": SeatOrigin.DELEGATED.value, "case.reviewer_added": SeatOrigin.ADDED.value}
"""Verbs of events by which a part of a step comes to a person by name, and how it came."""
Entry = Mapping[str, Any]
EPOCH = (1980, 1, 1, 0, 0, 0)  # of all entries: the same rows give the same bytes


class OrderNotClosed(Conflict):
    code = "order-not-closed"
    message = _("The order is %(status)s. A package is made of an order that is closed.")


class NotSealedYet(Conflict):
    code = "order-not-sealed-yet"
    message = _("Not all events of the order have been sealed yet. Try again in a minute.")


def package(*, order: Order, actor: User, at: datetime) -> bytes:
    """The ZIP. That somebody took it out is audited, and once for the same contents, sealed before, what is in it.

    Raises OrderNotClosed, NotSealedYet, NotSubmittedYet.
    """
    if order.status not in CLOSED:
        raise OrderNotClosed(status=Status(order.status).label)
    events, seals = _proof(Event.objects.filter(thread=order.uuid))
    with translation.override(settings.LANGUAGE_CODE):  # of the service, whoever takes it out
        files = dict(_files(order, events, seals))
    files[MANIFEST] = _readable(_manifest(order, files))
    files[PACKED] = _packed(order, files, events, actor=actor, at=at)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    with transaction.atomic():
        audit.record(
            actor=actor, verb="order.archived", subject=order, at=at, thread=None,
            after={"sha256": hashlib.sha256(made.getvalue()).hexdigest(), "files": len(files)},
        )  # fmt: skip
    return made.getvalue()


def _manifest(order: Order, files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "order": str(order.uuid),
        "number": order.number,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }


def _packed(
    order: Order, files: Mapping[str, bytes], events: Sequence[Entry], *, actor: User, at: datetime
) -> bytes:
    """The sealed event that tells of just these files; recorded, and sealed at once if nothing holds that up, where there is none
    yet. Raises NotSealedYet.
    """
    told = {
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "events": len(events),
        "last": {name: events[-1][name] for name in ("seal", "position")},
    }
    same = Event.objects.filter(subject_id=order.uuid, verb="order.packed", outcome=Outcome.DONE, after=told)
    event = same.order_by("id").first()
    if event is None:
        with transaction.atomic():
            event = audit.record(
                actor=actor, verb="order.packed", subject=order, at=at, thread=None, after=told
            )
        sealing.seal(at=at)
    (entry,), (seal,) = _proof(Event.objects.filter(pk=event.pk))
    return _readable({"event": entry, "seal": seal})


def _files(order: Order, events: Sequence[Entry], seals: Sequence[Entry]) -> Iterator[tuple[str, bytes]]:
    closed_at = order.finished_at or order.created_at
    yield "form.pdf", approval_form(order=order, at=closed_at)
    for revision in order.revisions.order_by("number"):
        yield f"revisions/{revision.number}.json", revisions.canonical(revision.content)
    yield "decisions.json", _readable(_decisions(order, events))
    for row in order.attachments.all():
        yield f"attachments/{row.first_revision}/{row.name}", attachments.read(row)
    yield "audit/events.json", _readable(events)
    yield "audit/seals.json", _readable(seals)


def _decisions(order: Order, events: Sequence[Entry]) -> list[dict[str, Any]]:
    """Each with the event that was written with it; both were, one after the other, under the case's lock."""
    if order.case is None:
        return []
    decisions = Decision.objects.filter(stage__case=order.case).select_related(
        "stage", "seat", "on_behalf_of"
    )
    told = [entry["event"] for entry in events if is_decision(entry["event"])]
    return [
        {
            "event": event["uuid"],
            "revision": decision.stage.revision,
            "stage": decision.stage.code,
            "role": decision.seat.role if decision.seat is not None else "",
            "verb": decision.verb,
            "opinion": decision.opinion,
            "decider": event["actor"],
            "decider_name": event["actor_name"],  # as it was then
            "on_behalf_of": decision.on_behalf_of.audit_ref if decision.on_behalf_of is not None else "",
            "revision_hash": decision.revision_hash,
            "at": decision.at,
            **dict(_given(decision, event, events)),
        }
        for decision, event in zip(decisions.order_by("id"), told, strict=True)
    ]


def _given(decision: Decision, decided: Entry, events: Sequence[Entry]) -> Iterator[tuple[str, Entry]]:
    """The last event before the decision by which its seat came to the decider; nothing where their role gave it."""
    if decision.seat is None or decision.seat.origin == SeatOrigin.ROLE:
        return
    told = [entry["event"] for entry in events if is_giving(entry["event"], decided)]
    if told:
        yield "given", as_given(told[-1])


def is_giving(event: Entry, decided: Entry) -> bool:
    """Whether it gave the part in which a decision, told by the other event, was made."""
    after = event["after"]
    return bool(
        event["verb"] in GIVING
        and event["outcome"] == Outcome.DONE
        and event["id"] < decided["id"]
        and (after["stage"], after["person"]) == (decided["after"].get("stage"), decided["actor"])
    )


def as_given(event: Entry) -> Entry:
    """Who gave a part to whom, for whom, when and why, as its event tells it."""
    return {
        "event": event["uuid"],
        "how": GIVING[event["verb"]],
        "by": event["actor"],
        "by_name": event["actor_name"],  # as it was then
        "on_behalf_of": event["after"].get("on_behalf_of", ""),
        "to": event["after"]["person"],
        "reason": event["reason"],
        "at": event["at"],
    }


def is_decision(event: Entry) -> bool:
    """Whether it is a decision that was made, and no attempt that was refused."""
    return bool(event["verb"] == "case.decided" and event["outcome"] == Outcome.DONE)


def _proof(rows: QuerySet[Event]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The events, and all that their seals' digests are made from. Raises NotSealedYet."""
    if rows.filter(sealed=None).exists():
        raise NotSealedYet
    told = rows.order_by("id").values(
        *sealing.COLUMNS, "sealed__seal__number", "sealed__position", "sealed__digest"
    )
    events = [
        {
            "seal": row["sealed__seal__number"],
            "position": row["sealed__position"],
            "digest": row["sealed__digest"],
            "event": {column: row[column] for column in sealing.COLUMNS},
        }
        for row in told
    ]
    numbers = sorted({each["seal"] for each in events})
    digests: dict[int, list[str]] = {number: [] for number in numbers}
    entries = SealedEvent.objects.filter(seal__number__in=numbers).order_by("seal__number", "position")
    for number, digest in entries.values_list("seal__number", "digest"):
        digests[number].append(digest)
    seals = Seal.objects.filter(number__in=numbers).order_by("number").values(*SEAL)
    return events, [{**seal, "digests": digests[seal["number"]]} for seal in seals]


def _readable(value: Any) -> bytes:
    plain = json.loads(sealing.canonical({"value": value}))["value"]
    return json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
