"""Archive packages proved by themselves: no database, nothing but the file.

Every digest is computed anew and held against what is told elsewhere in the package, up to the seal in which the package's own
event is. Whoever has the file could make that seal anew as well, with all below it: what they cannot do is have it in the
installation's chain. So its number and digest are given back, to be compared (``verify_audit --anchor``).
"""

import hashlib
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from govcloud.audit import sealing
from govcloud.audit.models import Outcome
from govcloud.audit.verification import SEAL, Anchor
from govcloud.documents.archive import (
    FORMAT,
    MANIFEST,
    PACKED,
    Entry,
    as_given,
    is_decision,
    is_giving,
)

MOST_UNPACKED = 2 * 1024**3  # bytes that are read of a package
OLDER = "govcloud-archive-1"
NO_PACKAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError,  # no archive, cut off, or encrypted
    LookupError, TypeError, ValueError, AttributeError,  # not of the form of a package
)  # fmt: skip
IN_THE_EVENT = ("stage", "role", "verb", "revision_hash", "on_behalf_of")
"""What ``after`` of a decision's event has under the same name."""


class BadPackage(Exception):
    """The package is not what was made; the text says where."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A package that is what was put in, if the seal is the installation's."""

    number: str
    files: int
    seal: Anchor
    unproven: tuple[str, ...]  # what events of former versions do not tell; the package's own event binds it


def verify(file: BinaryIO) -> Proof:
    """Raises BadPackage for the first thing that is not what was put in."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _verified(_unpacked(archive))
    except NO_PACKAGE as error:
        raise BadPackage(f"it is no package: {type(error).__name__}") from error


def _unpacked(archive: zipfile.ZipFile) -> dict[str, bytes]:
    names = Counter(archive.namelist())
    for name, times in names.items():
        if times > 1:
            raise BadPackage(f"{name} is there more than once")
    if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED:
        raise BadPackage("it is too large")
    return {name: archive.read(name) for name in names}


def _verified(files: Mapping[str, bytes]) -> Proof:
    manifest = json.loads(files[MANIFEST])
    if manifest["format"] == OLDER:
        raise BadPackage(
            "it is of the first format, which proves neither its form nor that no event is missing"
        )
    if manifest["format"] != FORMAT:
        raise BadPackage(f"its format is not {FORMAT}")
    events = json.loads(files["audit/events.json"])
    packed = json.loads(files[PACKED])
    _verify_events(events, json.loads(files["audit/seals.json"]), order=manifest["order"])
    told = [entry["event"] for entry in events]
    submitted = {
        e["after"]["digest"] for e in told if (e["verb"], e["outcome"]) == ("order.submitted", Outcome.DONE)
    }
    _verify_revisions(files, submitted)
    decided = [event for event in told if is_decision(event)]
    unproven = tuple(_verify_decisions(json.loads(files["decisions.json"]), decided, told, files))
    _verify_packed(packed, events, files, order=manifest["order"])
    anchor = Anchor(packed["seal"]["number"], packed["seal"]["digest"])
    return Proof(manifest["number"], len(manifest["files"]), anchor, unproven)


def _verify_events(events: Sequence[Entry], seals: Iterable[Entry], *, order: str) -> None:
    by_number = {seal["number"]: seal for seal in seals}
    for seal in by_number.values():
        _verify_seal(seal)
    for entry in events:
        _verify_event(entry, by_number[entry["seal"]])
        if entry["event"]["thread"] != order:
            raise BadPackage(f"event {entry['event']['id']} is of another order")


def _verify_seal(seal: Entry) -> None:
    columns = {name: seal[name] for name in SEAL if name != "digest"}
    whole = sealing.canonical({**columns, "digests": seal["digests"]})
    if (
        sealing.hexdigest(seal["algorithm"], whole) != seal["digest"]
        or len(seal["digests"]) != seal["events"]
    ):
        raise BadPackage(f"seal {seal['number']} is not what was made")


def _verify_event(entry: Entry, seal: Entry) -> None:
    digest = sealing.hexdigest(seal["algorithm"], sealing.canonical(entry["event"]))
    if not digest == entry["digest"] == seal["digests"][entry["position"] - 1]:
        raise BadPackage(f"event {entry['event']['id']} is not what was sealed")


def _verify_revisions(files: Mapping[str, bytes], told: set[str]) -> None:
    """The hash of each is the one that the audit trail tells of its submission, and its files are there; none is missing."""
    papers = {
        (name.rsplit("/", 1)[-1], _sha256(content))
        for name, content in files.items()
        if name.startswith("attachments/")
    }
    found = {name: content for name, content in files.items() if name.startswith("revisions/")}
    for name, content in found.items():
        if _sha256(content) not in told:
            raise BadPackage(f"{name} is not what was submitted")
        for paper in json.loads(content).get("attachments", []):
            if (paper["name"], paper["sha256"]) not in papers:
                raise BadPackage(f"{paper['name']} is not what was submitted")
    if len(found) != len(told):
        raise BadPackage("a revision is missing")


def _verify_decisions(
    decisions: Iterable[Entry], decided: Iterable[Entry], told: Sequence[Entry], files: Mapping[str, bytes]
) -> Iterator[str]:
    """Each against the event that tells it, column by column; what the event does not tell is yielded."""
    events = {event["uuid"]: event for event in decided}
    for number, decision in enumerate(decisions, start=1):
        event = events.pop(decision["event"], None)
        if event is None:
            raise BadPackage(f"decision {number} of decisions.json was not made")
        if _sha256(files[f"revisions/{decision['revision']}.json"]) != decision["revision_hash"]:
            raise BadPackage(
                f"decision {number} of decisions.json: it is not on revision {decision['revision']}"
            )
        sealed = _as_sealed(event)
        for name, value in sealed.items():
            if decision.get(name) != value:
                raise BadPackage(f"decision {number} of decisions.json: {name} is not what was sealed")
        giving = {each["uuid"]: as_given(each) for each in told if is_giving(each, event)}
        if "given" in decision and giving.get(decision["given"]["event"]) != decision["given"]:
            raise BadPackage(f"decision {number} of decisions.json: given is not what was sealed")
        if missing := [each for each in IN_THE_EVENT if each not in sealed]:
            yield f"decision {number}: {', '.join(missing)}"
    for event in events.values():
        raise BadPackage(f"decisions.json leaves out what event {event['id']} tells")


def _as_sealed(event: Entry) -> dict[str, Any]:
    """A decision as far as its event tells it."""
    after = {"on_behalf_of": "", **event["after"]}  # left out where nobody stood in
    return {
        "at": event["at"],
        "decider": event["actor"],
        "decider_name": event["actor_name"],
        "opinion": event["reason"],
        **{name: after[name] for name in IN_THE_EVENT if name in after},
    }


def _verify_packed(packed: Entry, events: Sequence[Entry], files: Mapping[str, bytes], *, order: str) -> None:
    """The package's own event: sealed, of this order, and of just these events and files."""
    _verify_seal(packed["seal"])
    _verify_event(packed["event"], packed["seal"])
    event = packed["event"]["event"]
    about = (event["verb"], event["outcome"], event["subject_id"])
    if about != ("order.packed", Outcome.DONE, order):
        raise BadPackage(f"{PACKED} does not tell of this order's package")
    told = event["after"]
    if told["events"] != len(events):
        raise BadPackage(f"audit/events.json has {len(events)} events; {told['events']} were packed")
    if told["last"] != {name: events[-1][name] for name in ("seal", "position")}:
        raise BadPackage("the last event of audit/events.json is not the last that was packed")
    found = {name: _sha256(content) for name, content in files.items() if name != PACKED}
    for name in sorted(found.keys() | told["files"].keys()):
        if name not in found:
            raise BadPackage(f"{name} is missing")
        if name not in told["files"]:
            raise BadPackage(f"{name} was not packed")
        if found[name] != told["files"][name]:
            raise BadPackage(f"{name} is not what was packed")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
