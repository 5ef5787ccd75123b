"""The archive package of a closed order: a ZIP that says what was asked for, decided and done, and proves it.

    form.pdf                      the approval form
    revisions/1.json …            each revision's content, byte for byte what its hash is of
    decisions.json                who decided what, when, on which revision's hash
    attachments/…                 the files, under their names
    audit/events.json             the order's events, each with its place in a seal
    audit/seals.json              those seals, each with the digests of all its events: what the seal's digest is made from
    manifest.json                 the SHA-256 of every other file

``verify`` needs nothing but the file: manifest, revisions' hashes, events' digests and seals' digests are computed anew.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.models import Decision
from govcloud.approvals.telling import signed_by
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

FORMAT = "govcloud-archive-1"
CLOSED = frozenset({Status.FULFILLED, Status.REJECTED, Status.CANCELLED, Status.WITHDRAWN})
EPOCH = (1980, 1, 1, 0, 0, 0)  # of all entries: the same rows give the same bytes
MOST_UNPACKED = 2 * 1024**3  # bytes that are read of a package


class OrderNotClosed(Conflict):
    code = "order-not-closed"
    message = _("The order is %(status)s. A package is made of an order that is closed.")


class NotSealedYet(Conflict):
    code = "order-not-sealed-yet"
    message = _("Not all events of the order have been sealed yet. Try again in a minute.")


class BadPackage(Exception):
    """The package is not what was made; the text says where."""


def package(*, order: Order, actor: User, at: datetime) -> bytes:
    """The ZIP. That somebody took it out is audited. Raises OrderNotClosed, NotSealedYet, NotSubmittedYet."""
    if order.status not in CLOSED:
        raise OrderNotClosed(status=Status(order.status).label)
    with translation.override(settings.LANGUAGE_CODE):  # of the service, whoever takes it out
        files = dict(_files(order))
    manifest = {
        "format": FORMAT,
        "order": str(order.uuid),
        "number": order.number,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, "manifest.json": _readable(manifest)}.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    with transaction.atomic():
        audit.record(
            actor=actor, verb="order.archived", subject=order, at=at, thread=None,
            after={"sha256": hashlib.sha256(packed.getvalue()).hexdigest(), "files": len(files)},
        )  # fmt: skip
    return packed.getvalue()


def _files(order: Order) -> Iterator[tuple[str, bytes]]:
    closed_at = order.finished_at or order.created_at
    yield "form.pdf", approval_form(order=order, at=closed_at)
    for revision in order.revisions.order_by("number"):
        yield f"revisions/{revision.number}.json", revisions.canonical(revision.content)
    yield "decisions.json", _readable(_decisions(order))
    for row in order.attachments.all():
        yield f"attachments/{row.first_revision}/{row.name}", attachments.read(row)
    events, seals = _proof(order)
    yield "audit/events.json", _readable(events)
    yield "audit/seals.json", _readable(seals)


def _decisions(order: Order) -> list[dict[str, Any]]:
    if order.case is None:
        return []
    decisions = Decision.objects.filter(stage__case=order.case)
    return [
        {
            "revision": decision.stage.revision,
            "stage": decision.stage.code,
            "roles": decision.stage.roles,
            "verb": decision.verb,
            "opinion": decision.opinion,
            "decider": signed_by(decision),
            "revision_hash": decision.revision_hash,
            "at": decision.at.astimezone(UTC).isoformat(),
        }
        for decision in decisions.select_related("stage", "decider", "on_behalf_of").order_by("id")
    ]


def _proof(order: Order) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The order's events, and all that their seals' digests are made from."""
    rows = Event.objects.filter(thread=order.uuid).order_by("id")
    if rows.filter(sealed=None).exists():
        raise NotSealedYet
    events = [
        {
            "seal": row["sealed__seal__number"],
            "position": row["sealed__position"],
            "digest": row["sealed__digest"],
            "event": {column: row[column] for column in sealing.COLUMNS},
        }
        for row in rows.values(*sealing.COLUMNS, "sealed__seal__number", "sealed__position", "sealed__digest")
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


# -- verifying


def verify(file: BinaryIO) -> Mapping[str, Any]:
    """The package's manifest, once everything in it has been found to be what was put in. Raises BadPackage."""
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED:
                raise BadPackage("it is too large")
            files = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(files.pop("manifest.json"))
        return _verified(manifest, files)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise BadPackage(f"it is no package: {type(error).__name__}") from error


def _verified(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Mapping[str, Any]:
    found = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for name in sorted(found.keys() | manifest["files"].keys()):
        if found.get(name) != manifest["files"].get(name):
            raise BadPackage(f"{name} is not what the manifest says")
    events = json.loads(files["audit/events.json"])
    done = [each["event"] for each in events if each["event"]["outcome"] == Outcome.DONE]
    _verify_revisions(files, {e["after"]["digest"] for e in done if e["verb"] == "order.submitted"})
    if len(json.loads(files["decisions.json"])) != sum(e["verb"] == "case.decided" for e in done):
        raise BadPackage("decisions.json is not what was decided")
    seals = {seal["number"]: seal for seal in json.loads(files["audit/seals.json"])}
    for seal in seals.values():
        _verify_seal(seal)
    for entry in events:
        _verify_event(entry, seals[entry["seal"]])
    return manifest


def _verify_revisions(files: Mapping[str, bytes], told: set[str]) -> None:
    """The hash of each is the one that the audit trail tells of its submission, and its files are there; none is missing."""
    papers = {hashlib.sha256(c).hexdigest() for name, c in files.items() if name.startswith("attachments/")}
    found = {name: content for name, content in files.items() if name.startswith("revisions/")}
    for name, content in found.items():
        if hashlib.sha256(content).hexdigest() not in told:
            raise BadPackage(f"{name} is not what was submitted")
        for paper in json.loads(content).get("attachments", []):
            if paper["sha256"] not in papers:
                raise BadPackage(f"{paper['name']} is not what was submitted")
    if len(found) != len(told):
        raise BadPackage("a revision is missing")


def _verify_seal(seal: Mapping[str, Any]) -> None:
    columns = {name: seal[name] for name in SEAL if name != "digest"}
    whole = sealing.canonical({**columns, "digests": seal["digests"]})
    if (
        sealing.hexdigest(seal["algorithm"], whole) != seal["digest"]
        or len(seal["digests"]) != seal["events"]
    ):
        raise BadPackage(f"seal {seal['number']} is not what was made")


def _verify_event(entry: Mapping[str, Any], seal: Mapping[str, Any]) -> None:
    digest = sealing.hexdigest(seal["algorithm"], sealing.canonical(entry["event"]))
    if not digest == entry["digest"] == seal["digests"][entry["position"] - 1]:
        raise BadPackage(f"event {entry['event']['id']} is not what was sealed")
