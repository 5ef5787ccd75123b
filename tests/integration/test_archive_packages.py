"""The archive package of a closed order: it proves itself without the database, and every forgery of it is named."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation
from pytest_django import Settings

from govcloud.audit import sealing
from govcloud.audit.models import Event
from govcloud.audit.verification import SEAL, Anchor, Damage
from govcloud.audit.verification import verify as verify_audit
from govcloud.documents import archive, form, proof
from govcloud.orders import attachments, services
from govcloud.orders.models import Order
from tenants.models import Role
from tests.factories.approvals import absence, delegate
from tests.factories.audit import seal_all
from tests.factories.orders import Scene, approved, decided, drafted, scene
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db(transaction=True)

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
Files = dict[str, bytes]
Forgery = Callable[[Files], None]


@pytest.fixture(autouse=True)
def shelf(settings: Settings, tmp_path: Path) -> Path:
    settings.ATTACHMENT_DIR = tmp_path / "attachments"
    return tmp_path / "attachments"


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def closed(on: Scene, at: datetime) -> Order:
    """Approved by the unit, rejected by the service desk; with two files."""
    order = drafted(on, at=at)
    for name, content in (("批复.pdf", PDF), ("方案.pdf", PDF + b"2")):
        attachments.attach(order=order, name=name, content=content, actor=on.applicant, at=at)
    services.submit(order=order, actor=on.applicant, at=at)
    order = decided(on, Order.objects.get(), at=at, opinion="同意")
    return decided(on, order, at=at + timedelta(hours=1), verb="reject", opinion="重复申请")


def taken_out(order: Order, on: Scene, at: datetime) -> bytes:
    """The package, once its own event is sealed: at once, if nothing else runs on the tests' server."""
    seal_all(at)
    try:
        return archive.package(order=order, actor=on.applicant, at=at)
    except archive.NotSealedYet:
        seal_all(at)
        return archive.package(order=order, actor=on.applicant, at=at)


@pytest.fixture
def zipped(on: Scene, at: datetime, closed: Order) -> bytes:
    return taken_out(closed, on, at)


def unpacked(zipped: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(zipped)) as content:
        return {name: content.read(name) for name in content.namelist()}


def packed(files: Mapping[str, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        for name, what in files.items():
            content.writestr(name, what)
    return file


# made


def test_an_open_order_has_no_package(on: Scene, at: datetime) -> None:
    with pytest.raises(archive.OrderNotClosed):
        archive.package(order=approved(on, at=at), actor=on.applicant, at=at)


def test_a_package_waits_until_all_is_sealed(on: Scene, at: datetime, closed: Order) -> None:
    with pytest.raises(archive.NotSealedYet):
        archive.package(order=closed, actor=on.applicant, at=at)
    assert not Event.objects.filter(verb="order.packed").exists()


def test_a_package_waits_for_its_own_seal_and_tells_of_itself_once(
    on: Scene, at: datetime, closed: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal_all(at)
    monkeypatch.setattr(sealing, "seal", lambda **_told: None)  # another one is sealing
    for _again in range(2):
        with pytest.raises(archive.NotSealedYet):
            archive.package(order=closed, actor=on.applicant, at=at)
    assert not Event.objects.filter(verb="order.archived").exists()
    monkeypatch.undo()
    seal_all(at)
    archive.package(order=closed, actor=on.applicant, at=at)
    assert Event.objects.filter(verb="order.packed").count() == 1


def test_a_package_has_everything_and_proves_itself(
    *,
    on: Scene,
    at: datetime,
    closed: Order,
    zipped: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = unpacked(zipped)
    assert sorted(files) == [
        "attachments/1/批复.pdf", "attachments/1/方案.pdf", "audit/events.json", "audit/package.json",
        "audit/seals.json", "decisions.json", "form.pdf", "manifest.json", "revisions/1.json",
    ]  # fmt: skip
    decisions = json.loads(files["decisions.json"])
    assert [(each["verb"], each["opinion"]) for each in decisions] == [
        ("approve", "同意"),
        ("reject", "重复申请"),
    ]
    found = proof.verify(io.BytesIO(zipped))
    assert (found.number, found.files, found.unproven) == (closed.number, 7, ())
    path = tmp_path / "package.zip"
    path.write_bytes(zipped)
    call_command("verify_archive", str(path))
    told = capsys.readouterr().out
    assert f"{closed.number} intact, 7 files." in told
    assert f"{found.seal.seal}:{found.seal.digest}" in told
    assert verify_audit(anchors=[found.seal]).intact
    with translation.override("zh-hans"):  # made in English before
        assert archive.package(order=closed, actor=on.applicant, at=at) == zipped
    assert Event.objects.filter(verb="order.archived").count() == 2
    assert Event.objects.filter(verb="order.packed").count() == 1
    assert not Event.objects.filter(verb__in=["attachment.downloaded", "order.printed"]).exists()


def test_a_decision_by_a_substitute_tells_for_whom(on: Scene, at: datetime) -> None:
    services.submit(order=drafted(on, at=at), actor=on.applicant, at=at)
    person, substitute = on.chain[Role.UNIT_APPROVER], member(Role.CLOUD_ADMIN)
    absence(person, substitute, begins=at)
    on.chain[Role.UNIT_APPROVER] = substitute
    order = decided(on, Order.objects.get(), at=at, verb="reject", opinion="重复申请")
    zipped = taken_out(order, on, at)
    proof.verify(io.BytesIO(zipped))
    (decision,) = json.loads(unpacked(zipped)["decisions.json"])
    assert (decision["decider"], decision["decider_name"]) == (substitute.audit_ref, substitute.audit_name)
    assert decision["on_behalf_of"] == person.audit_ref


def test_a_decision_by_a_delegate_tells_who_delegated_it_and_why(on: Scene, at: datetime) -> None:
    services.submit(order=drafted(on, at=at), actor=on.applicant, at=at)
    order = Order.objects.get()
    approver, delegate_ = on.chain[Role.UNIT_APPROVER], member(Role.CLOUD_ADMIN)
    delegate(order.case, approver, delegate_, at, reason="出差")
    on.chain[Role.UNIT_APPROVER] = delegate_
    order = decided(on, order, at=at, verb="reject", opinion="重复申请")
    zipped = taken_out(order, on, at)
    proof.verify(io.BytesIO(zipped))
    files = unpacked(zipped)
    (decision,) = json.loads(files["decisions.json"])
    event = Event.objects.get(verb="case.delegated")
    assert decision["given"].pop("at")
    assert decision["given"] == {
        "event": str(event.uuid),
        "how": "delegated",
        "by": approver.audit_ref,
        "by_name": approver.audit_name,
        "on_behalf_of": "",
        "to": delegate_.audit_ref,
        "reason": "出差",
    }
    (stage,) = [each for each in form._stages(order) if each.decisions.all()]
    assert form._stage(stage)["decisions"][0]["given"] == (f"delegated by {approver} to {delegate_}: 出差")
    edited(files, "decisions.json", lambda rows: rows[0]["given"].update(reason="休假"))
    told_to_the_manifest(files)
    with pytest.raises(proof.BadPackage, match="given is not what was sealed"):
        proof.verify(packed(files))


# forged: whoever has the file computes anew every hash that they can


def told_to_the_manifest(files: Files) -> None:
    listed = json.loads(files["manifest.json"])
    listed["files"] = {
        name: hashlib.sha256(files[name]).hexdigest()
        for name in files
        if name not in {"manifest.json", "audit/package.json"}
    }
    files["manifest.json"] = json.dumps(listed).encode()


def edited(files: Files, name: str, edit: Callable[[Any], Any]) -> None:
    content = json.loads(files[name])
    files[name] = json.dumps(edit(content) or content, ensure_ascii=False).encode()


def of_decision(**changes: object) -> Forgery:
    def forge(files: Files) -> None:
        edited(files, "decisions.json", lambda rows: rows[1].update(changes))

    return forge


def without_a_decision(files: Files) -> None:
    edited(files, "decisions.json", lambda rows: rows[:1])


def with_another_decision(files: Files) -> None:
    edited(files, "decisions.json", lambda rows: [*rows, {**rows[0], "stage": "intake"}])


def without_a_decision_and_its_event(files: Files) -> None:
    gone = json.loads(files["decisions.json"])[1]["event"]
    without_a_decision(files)
    edited(files, "audit/events.json", lambda rows: [each for each in rows if each["event"]["uuid"] != gone])


def without_the_last_event(files: Files) -> None:
    def forge(package: Any) -> None:
        package["event"]["event"]["after"]["events"] -= 1

    edited(files, "audit/events.json", lambda rows: rows[:-1])
    edited(files, "audit/package.json", forge)


def with_an_event_changed(files: Files) -> None:
    files["audit/events.json"] = files["audit/events.json"].replace("重复申请".encode(), "同意".encode())


def with_an_event_and_its_digests_changed(files: Files) -> None:
    """The event, its own digest, and that in its seal, but not the seal's."""

    def in_events(rows: Any) -> None:
        for each in rows:
            if each["event"]["reason"] == "重复申请":
                each["event"]["reason"] = "同意"
                each["digest"] = sealing.event_digest(each["event"], "sha256")

    old = {each["digest"]: each for each in json.loads(files["audit/events.json"])}
    edited(files, "audit/events.json", in_events)
    new = dict(zip(old, (each["digest"] for each in json.loads(files["audit/events.json"])), strict=True))

    def in_seals(seals: Any) -> None:
        for seal in seals:
            seal["digests"] = [new.get(digest, digest) for digest in seal["digests"]]

    edited(files, "audit/seals.json", in_seals)


def another(name: str) -> Forgery:
    def forge(files: Files) -> None:
        files[name] += b"\n% another"

    return forge


def swapped(files: Files) -> None:
    one, two = "attachments/1/批复.pdf", "attachments/1/方案.pdf"
    files[one], files[two] = files[two], files[one]


def with_a_file_more(files: Files) -> None:
    files["attachments/1/承诺.pdf"] = PDF + b"3"


def without_the_form(files: Files) -> None:
    del files["form.pdf"]


def of_the_first_format(files: Files) -> None:
    del files["audit/package.json"]
    files["form.pdf"] += b"\n% another"
    edited(files, "manifest.json", lambda listed: listed.update(format="govcloud-archive-1"))


def with_another_events_seal(files: Files) -> None:
    """One that is sealed in earnest, but tells of something else."""
    entry = json.loads(files["audit/events.json"])[0]
    (seal,) = (s for s in json.loads(files["audit/seals.json"]) if s["number"] == entry["seal"])
    files["audit/package.json"] = json.dumps({"event": entry, "seal": seal}).encode()


FORGERIES: Mapping[str, tuple[Forgery, str]] = {
    "decider": (of_decision(decider="user:0"), "decision 2 of decisions.json: decider is not"),
    "name": (of_decision(decider_name="某某"), "decision 2 of decisions.json: decider_name is not"),
    "opinion": (of_decision(opinion="同意"), "decision 2 of decisions.json: opinion is not"),
    "verb": (of_decision(verb="approve"), "decision 2 of decisions.json: verb is not"),
    "role": (of_decision(role="finance"), "decision 2 of decisions.json: role is not"),
    "stage": (of_decision(stage="approval"), "decision 2 of decisions.json: stage is not"),
    "for whom": (of_decision(on_behalf_of="user:0"), "decision 2 of decisions.json: on_behalf_of is not"),
    "time": (of_decision(at="2020-01-01T00:00:00.000000+00:00"), "decision 2 of decisions.json: at is not"),
    "told by": (of_decision(event="0"), "decision 2 of decisions.json was not made"),
    "hash": (of_decision(revision_hash="0"), "decision 2 of decisions.json: it is not on revision 1"),
    "decision left out": (without_a_decision, "decisions.json leaves out what event"),
    "decision made up": (with_another_decision, "decision 3 of decisions.json was not made"),
    "both left out": (without_a_decision_and_its_event, r"events.json has \d+ events; \d+ were packed"),
    "last event left out": (without_the_last_event, "event .* is not what was sealed"),
    "event": (with_an_event_changed, "event .* is not what was sealed"),
    "event and digests": (with_an_event_and_its_digests_changed, "seal .* is not what was made"),
    "form": (another("form.pdf"), "form.pdf is not what was packed"),
    "no form": (without_the_form, "form.pdf is missing"),
    "revision": (another("revisions/1.json"), "revisions/1.json is not what was submitted"),
    "file": (another("attachments/1/批复.pdf"), "批复.pdf is not what was submitted"),
    "files swapped": (swapped, "批复.pdf is not what was submitted"),
    "file more": (with_a_file_more, "attachments/1/承诺.pdf was not packed"),
    "first format": (of_the_first_format, "it is of the first format"),
    "another event": (with_another_events_seal, "package.json does not tell of this order's package"),
    "manifest": (lambda files: edited(files, "manifest.json", lambda m: m.update(number="R0")), "manifest.json is"),
}  # fmt: skip


@pytest.fixture
def forge(zipped: bytes) -> Callable[[Forgery], io.BytesIO]:
    def forged(by: Forgery) -> io.BytesIO:
        files = unpacked(zipped)
        by(files)
        told_to_the_manifest(files)
        return packed(files)

    return forged


def test_every_forgery_is_named(forge: Callable[[Forgery], io.BytesIO], tmp_path: Path) -> None:
    """One package for all of them: each takes seconds to make."""
    for what, (by, told) in FORGERIES.items():
        forged = forge(by)
        with pytest.raises(proof.BadPackage, match=told):
            pytest.fail(f"{what}: {proof.verify(forged)}")
    path = tmp_path / "forged.zip"
    path.write_bytes(forge(another("form.pdf")).getvalue())
    with pytest.raises(CommandError, match=r"form\.pdf is not what was packed"):
        call_command("verify_archive", str(path))


def test_who_makes_the_very_seal_anew_is_found_out_by_the_installations_chain(zipped: bytes) -> None:
    """All hashes there are: nothing in the file can tell, but the seal is not the one of the chain."""
    files = unpacked(zipped)
    files["form.pdf"] += b"\n% another"
    told_to_the_manifest(files)

    def forge(package: Any) -> None:
        entry, seal = package["event"], package["seal"]
        told = entry["event"]["after"]["files"]
        told.update({name: hashlib.sha256(files[name]).hexdigest() for name in told})
        seal["digests"][entry["position"] - 1] = entry["digest"] = sealing.event_digest(
            entry["event"], seal["algorithm"]
        )
        columns = {name: seal[name] for name in SEAL if name != "digest"}
        whole = sealing.canonical({**columns, "digests": seal["digests"]})
        seal["digest"] = sealing.hexdigest(seal["algorithm"], whole)

    edited(files, "audit/package.json", forge)
    forged = proof.verify(packed(files)).seal
    genuine = proof.verify(io.BytesIO(zipped)).seal
    assert forged == Anchor(genuine.seal, forged.digest) != genuine
    breach = verify_audit(anchors=[forged]).breach
    assert breach is not None
    assert breach.damage == Damage.ANCHOR_DIFFERS


def test_a_file_that_is_there_twice_is_refused(zipped: bytes) -> None:
    """Readers differ in which of them they show."""
    file = io.BytesIO(zipped)
    with zipfile.ZipFile(file, "a") as content, pytest.warns(UserWarning, match="Duplicate name"):
        content.writestr("form.pdf", content.read("form.pdf"))
    with pytest.raises(proof.BadPackage, match=r"form\.pdf is there more than once"):
        proof.verify(file)


def test_what_events_of_former_versions_do_not_tell_is_named(
    zipped: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "IN_THE_EVENT", (*proof.IN_THE_EVENT, "new"))
    found = proof.verify(io.BytesIO(zipped))
    assert found.unproven == ("decision 1: new", "decision 2: new")


def test_what_is_no_package_is_said_so(tmp_path: Path) -> None:
    for content in (
        b"",
        b"PK",
        packed({"readme.txt": b"x"}).getvalue(),
        packed({"manifest.json": b"x"}).getvalue(),
    ):
        with pytest.raises(proof.BadPackage):
            proof.verify(io.BytesIO(content))
    with pytest.raises(CommandError, match="No such file"):
        call_command("verify_archive", str(tmp_path / "nothing.zip"))
