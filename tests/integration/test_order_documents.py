"""Files with orders, the form and the package: taken in by content, bound by the revision, proved without the database."""

import hashlib
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation
from pytest_django import Settings

from govcloud.audit.models import Event, Outcome
from govcloud.documents import archive
from govcloud.documents.form import FONTS, NotSubmittedYet, approval_form, contents_of
from govcloud.errors import DomainError
from govcloud.orders import attachments, services
from govcloud.orders.attachments import (
    AttachmentEmpty,
    AttachmentInfected,
    AttachmentNameBad,
    AttachmentNotTaken,
    AttachmentThere,
    AttachmentTooLarge,
    ScannerDoesNotAnswer,
    TooManyAttachments,
)
from govcloud.orders.models import Attachment, Order
from govcloud.orders.services import NotEditable
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.audit import seal_all
from tests.factories.orders import Scene, approved, decided, drafted, scene, submitted
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"


@pytest.fixture(autouse=True)
def shelf(settings: Settings, tmp_path: Path) -> Path:
    settings.ATTACHMENT_DIR = tmp_path / "attachments"
    return tmp_path / "attachments"


@pytest.fixture
def on() -> Scene:
    return scene()


def packed(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive_:
        for name in names:
            archive_.writestr(name, "x")
    return file.getvalue()


def attached(
    order: Order, on: Scene, at: datetime, name: str = "批复.pdf", content: bytes = PDF
) -> Attachment:
    return attachments.attach(order=order, name=name, content=content, actor=on.applicant, at=at)


def kept(shelf: Path) -> list[Path]:
    return [path for path in shelf.rglob("*") if path.is_file()]


# taken in


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("批复.PDF", PDF),
        ("批复.ofd", packed("OFD.xml", "Doc_0/Document.xml")),
        ("图.png", b"\x89PNG\r\n\x1a\n0000"),
        ("图.jpeg", b"\xff\xd8\xff\xe000"),
        ("方案.docx", packed("[Content_Types].xml", "word/document.xml")),
        ("清单.xlsx", packed("[Content_Types].xml", "xl/workbook.xml")),
        ("C:\\papers\\批复.pdf", PDF),
    ],
)
def test_what_orders_are_founded_on_is_taken(
    on: Scene, at: datetime, shelf: Path, name: str, content: bytes
) -> None:
    row = attached(drafted(on, at=at), on, at, name, content)
    assert row.name == name.rsplit("\\", 1)[-1]
    assert attachments.read(row) == content
    (path,) = kept(shelf)
    assert (path.stat().st_mode & 0o777, row.name in str(path)) == (0o600, False)


@pytest.mark.parametrize(
    ("name", "content", "refusal"),
    [
        ("批复.pdf", b"MZ\x90", AttachmentNotTaken),
        ("批复.exe", PDF, AttachmentNotTaken),
        ("图.png", PDF, AttachmentNotTaken),
        (
            "方案.docx",
            packed("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"),
            AttachmentNotTaken,
        ),
        ("方案.docx", packed("readme.txt"), AttachmentNotTaken),
        ("方案.docx", b"PK\x03\x04 cut off", AttachmentNotTaken),
        ("批复.pdf", b"", AttachmentEmpty),
        ("批复.pdf", PDF + b"x" * 2**20, AttachmentTooLarge),
        ("", PDF, AttachmentNameBad),
        ("批\n复.pdf", PDF, AttachmentNameBad),
        ("批\x07复.pdf", PDF, AttachmentNameBad),
        ("批\u2028复.pdf", PDF, AttachmentNameBad),
        ("批\u2029复.pdf", PDF, AttachmentNameBad),
        ("批\u202efdp.复.pdf", PDF, AttachmentNameBad),
        ("\u3000", PDF, AttachmentNameBad),
        ("长" * 120 + ".pdf", PDF, AttachmentNameBad),
    ],
)
def test_anything_else_is_refused_and_leaves_nothing(
    *,
    on: Scene,
    at: datetime,
    shelf: Path,
    settings: Settings,
    name: str,
    content: bytes,
    refusal: type[DomainError],
) -> None:
    settings.ATTACHMENTS_MB = 1
    order = drafted(on, at=at)
    with pytest.raises(refusal) as refused:
        attached(order, on, at, name, content)
    assert refused.value.pointers == ("/file",)
    assert (kept(shelf), Attachment.objects.count()) == ([], 0)


@pytest.mark.parametrize("space", ["\u3000", "\u202f", "\u00a0", "\u2009"])
def test_every_kind_of_space_in_a_name_becomes_a_plain_one(
    on: Scene, at: datetime, shelf: Path, space: str
) -> None:
    row = attached(drafted(on, at=at), on, at, f"{space}截屏{space}批复.pdf")
    assert row.name == "截屏 批复.pdf"


@pytest.mark.parametrize("name", ["批\u200b复.pdf", "𠮷野\ue000.pdf", "می\u200cخواهم.pdf"])
def test_a_name_has_what_people_write(on: Scene, at: datetime, shelf: Path, name: str) -> None:
    assert attached(drafted(on, at=at), on, at, name).name == name


def test_an_order_has_so_many_files_of_so_much_and_none_twice(
    on: Scene, at: datetime, shelf: Path, settings: Settings
) -> None:
    settings.ATTACHMENTS_MB = 1
    order = drafted(on, at=at)
    attached(order, on, at)
    for name, content in (("批复.pdf", PDF + b"other"), ("another.pdf", PDF)):
        with pytest.raises(AttachmentThere):
            attached(order, on, at, name, content)
    with pytest.raises(AttachmentTooLarge):
        attached(order, on, at, "large.pdf", PDF + b"x" * (2**20 - len(PDF)))
    for number in range(attachments.MOST_FILES - 1):
        attached(order, on, at, f"{number}.pdf", PDF + str(number).encode())
    with pytest.raises(TooManyAttachments):
        attached(order, on, at, "more.pdf", PDF + b"more")
    assert len(kept(shelf)) == attachments.MOST_FILES


def test_only_the_departments_applicants_attach_and_only_to_what_can_be_edited(
    on: Scene, at: datetime
) -> None:
    order = drafted(on, at=at)
    with pytest.raises(RoleMissing):
        attachments.attach(order=order, name="a.pdf", content=PDF, actor=member(Role.CLOUD_ADMIN), at=at)
    sent = submitted(on, at=at)
    with pytest.raises(NotEditable):
        attached(sent, on, at)


# the scanner


@pytest.fixture
def scanner(settings: Settings, tmp_path: Path) -> Callable[[str], None]:
    def set_to(script: str) -> None:
        path = tmp_path / "scanner"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        settings.ATTACHMENT_SCANNER = [str(path), "--fast"]

    return set_to


def test_what_the_scanner_finds_clean_is_taken(
    on: Scene, at: datetime, scanner: Callable[[str], None]
) -> None:
    scanner('test "$1" = --fast && test -s "$2"')
    assert attached(drafted(on, at=at), on, at).scanned


def test_what_it_finds_infected_is_refused_and_told(
    on: Scene, at: datetime, shelf: Path, scanner: Callable[[str], None]
) -> None:
    scanner("exit 1")
    with pytest.raises(AttachmentInfected):
        attached(drafted(on, at=at), on, at)
    event = Event.objects.get(verb="attachment.added")
    assert (event.outcome, event.reason, kept(shelf)) == (Outcome.REFUSED, "attachment-infected", [])


def test_without_the_scanner_no_file_is_taken(
    on: Scene, at: datetime, shelf: Path, scanner: Callable[[str], None], settings: Settings
) -> None:
    order = drafted(on, at=at)
    scanner("exit 2")
    with pytest.raises(ScannerDoesNotAnswer):
        attached(order, on, at)
    settings.ATTACHMENT_SCANNER = ["/nowhere/scanner"]
    with pytest.raises(ScannerDoesNotAnswer):
        attached(order, on, at)
    assert kept(shelf) == []


# bound by the revision


def test_a_revision_is_bound_to_the_files_it_was_submitted_with(on: Scene, at: datetime, shelf: Path) -> None:
    order = drafted(on, at=at)
    row = attached(order, on, at)
    services.submit(order=order, actor=on.applicant, at=at)
    revision = order.revisions.get()
    assert revision.content["attachments"] == [{"name": row.name, "size": row.size, "sha256": row.sha256}]
    with pytest.raises(NotEditable):
        attachments.remove(attachment=row, actor=on.applicant, at=at)
    assert attachments.read(row) == PDF


def test_a_file_removed_after_a_return_stays_with_the_revision_that_had_it(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at)
    row = attached(order, on, at)
    services.submit(order=order, actor=on.applicant, at=at)
    order = decided(on, Order.objects.get(), at=at, verb="return", opinion="请补充批复")
    attachments.remove(attachment=row, actor=on.applicant, at=at)
    attached(order, on, at, "新批复.pdf", PDF + b"new")
    services.submit(order=order, actor=on.applicant, at=at)
    contents = order.revisions.order_by("number").values_list("content", flat=True)
    names = [[each["name"] for each in content["attachments"]] for content in contents]
    assert names == [["批复.pdf"], ["新批复.pdf"]]
    assert attachments.read(row) == PDF


def test_a_file_removed_from_a_draft_is_gone(
    on: Scene, at: datetime, shelf: Path, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    row = attached(drafted(on, at=at), on, at)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        attachments.remove(attachment=row, actor=on.applicant, at=at)
    assert (kept(shelf), Attachment.objects.count()) == ([], 0)


# the form


def test_the_form_says_what_was_asked_for_and_what_everybody_decided(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at)
    attached(order, on, at)
    services.submit(order=order, actor=on.applicant, at=at)
    order = decided(on, Order.objects.get(), at=at, opinion="同意")
    with translation.override("zh-hans"):
        told = contents_of(order, at=at)
        pdf = approval_form(order=order, at=at)
    assert (told["number"], told["monthly"], told["attachments"][0]["name"]) == (
        order.number,
        "1,812.00",
        "批复.pdf",
    )
    opinions = [[one["opinion"] for one in stage["decisions"]] for stage in told["stages"]]
    assert opinions == [["同意"], [], [], []]
    assert told["digest"] == order.revisions.get().digest
    assert pdf.startswith(b"%PDF-")
    assert b"NotoSansCJKsc" in pdf  # embedded: it reads alike everywhere


def test_the_english_form_has_english_names_as_long_as_they_are_those_of_the_revision(
    on: Scene, at: datetime
) -> None:
    order = services.submit(order=drafted(on, at=at), actor=on.applicant, at=at)
    facts = dict(contents_of(order, at=at)["facts"])
    assert facts["Department"] == on.department.name_en
    assert facts["System"] == f"{on.system.name_en} ({on.system.code})"

    frozen = on.department.name
    on.department.name, on.department.name_en = "示例新局", "Example new bureau"
    on.department.save()
    order = Order.objects.get(pk=order.pk)
    assert dict(contents_of(order, at=at)["facts"])["Department"] == frozen


def test_a_draft_has_no_form(on: Scene, at: datetime) -> None:
    with pytest.raises(NotSubmittedYet):
        approval_form(order=drafted(on, at=at), at=at)


def test_markup_in_what_people_type_stays_text(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at, title='#panic("x") *粗* $1$ `"\\')
    services.submit(order=order, actor=on.applicant, at=at)
    assert approval_form(order=order, at=at).startswith(b"%PDF-")


def test_what_has_no_spaces_stays_in_its_cell(on: Scene, at: datetime) -> None:
    """It takes as many lines as it needs, and so a page more; it would be one line that runs off the paper."""
    order = submitted(on, at=at)
    before = pages(approval_form(order=order, at=at))
    order = decided(on, order, at=at, opinion="x" * 2_000)
    assert pages(approval_form(order=order, at=at)) > before


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


# the package


@pytest.fixture
def closed(on: Scene, at: datetime) -> Order:
    """Rejected, with a file."""
    order = drafted(on, at=at)
    attached(order, on, at)
    services.submit(order=order, actor=on.applicant, at=at)
    return decided(on, Order.objects.get(), at=at, verb="reject", opinion="重复申请")


def test_an_open_order_has_no_package(on: Scene, at: datetime) -> None:
    with pytest.raises(archive.OrderNotClosed):
        archive.package(order=approved(on, at=at), actor=on.applicant, at=at)


def test_a_package_waits_until_all_is_sealed(on: Scene, at: datetime, closed: Order) -> None:
    with pytest.raises(archive.NotSealedYet):
        archive.package(order=closed, actor=on.applicant, at=at)


@pytest.fixture
def zipped(on: Scene, at: datetime, closed: Order) -> bytes:
    seal_all(at)
    return archive.package(order=closed, actor=on.applicant, at=at)


@pytest.mark.django_db(transaction=True)
def test_a_package_has_everything_and_proves_itself(
    *,
    on: Scene,
    at: datetime,
    closed: Order,
    zipped: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with zipfile.ZipFile(io.BytesIO(zipped)) as content:
        assert sorted(content.namelist()) == [
            "attachments/1/批复.pdf", "audit/events.json", "audit/seals.json", "decisions.json", "form.pdf",
            "manifest.json", "revisions/1.json",
        ]  # fmt: skip
        (decision,) = json.loads(content.read("decisions.json"))
    assert (decision["verb"], decision["opinion"]) == ("reject", "重复申请")
    assert archive.verify(io.BytesIO(zipped))["number"] == closed.number
    path = tmp_path / "package.zip"
    path.write_bytes(zipped)
    call_command("verify_archive", str(path))
    assert f"{closed.number} intact, 6 files." in capsys.readouterr().out
    with translation.override("zh-hans"):  # made in English before
        assert archive.package(order=closed, actor=on.applicant, at=at) == zipped
    assert Event.objects.filter(verb="order.archived").count() == 2


def changed(zipped: bytes, name: str, by: Callable[[bytes], bytes], *, manifest: bool) -> bytes:
    """The package with one file changed; with its manifest told so, as a careful forger would."""
    with zipfile.ZipFile(io.BytesIO(zipped)) as content:
        files = {each: content.read(each) for each in content.namelist()}
    files[name] = by(files[name])
    if manifest:
        listed = json.loads(files["manifest.json"])
        listed["files"][name] = hashlib.sha256(files[name]).hexdigest()
        files["manifest.json"] = json.dumps(listed).encode()
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as content:
        for each, what in files.items():
            content.writestr(each, what)
    return forged.getvalue()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "old", "new", "manifest", "told"),
    [
        ("decisions.json", "reject", "approve", False, "decisions.json is not what the manifest says"),
        ("revisions/1.json", "替换到期设备", "扩容", True, "revisions/1.json is not what was submitted"),
        ("audit/events.json", "重复申请", "同意", True, "event .* is not what was sealed"),
        (
            "audit/seals.json",
            r'"number": \d+',
            '"number": 0',
            True,
            "it is no package|seal 0 is not what was made",
        ),
    ],
)
def test_a_package_that_was_tampered_with_is_refused(
    *,
    zipped: bytes, name: str, old: str, new: str, manifest: bool, told: str, tmp_path: Path
) -> None:  # fmt: skip
    def tamper(was: bytes) -> bytes:
        now = re.sub(old, new, was.decode()).encode()
        assert now != was
        return now

    forged = changed(zipped, name, tamper, manifest=manifest)
    with pytest.raises(archive.BadPackage, match=told):
        archive.verify(io.BytesIO(forged))
    path = tmp_path / "forged.zip"
    path.write_bytes(forged)
    with pytest.raises(CommandError):
        call_command("verify_archive", str(path))


def test_what_is_no_package_is_said_so(tmp_path: Path) -> None:
    for content in (b"", b"PK", packed("readme.txt"), packed("manifest.json")):
        with pytest.raises(archive.BadPackage):
            archive.verify(io.BytesIO(content))
    with pytest.raises(CommandError, match="No such file"):
        call_command("verify_archive", str(tmp_path / "nothing.zip"))


def test_the_forms_font_has_no_glyph_that_would_be_left_blank() -> None:
    """Typst 0.15 leaves out the first glyph of a document whose number takes more than 15 bits."""
    font = (FONTS / "NotoSansSC-Regular.otf").read_bytes()
    (tables,) = struct.unpack(">H", font[4:6])
    directory = {font[at : at + 4]: at for at in range(12, 12 + 16 * tables, 16)}
    (offset,) = struct.unpack(">I", font[directory[b"maxp"] + 8 : directory[b"maxp"] + 12])
    (glyphs,) = struct.unpack(">H", font[offset + 4 : offset + 6])
    assert 20_000 < glyphs < 2**15
