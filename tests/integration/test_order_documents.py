"""Files with orders, and the form: taken in by content, bound by the revision."""

import io
import re
import struct
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from django.utils import translation
from pytest_django import Settings

from govcloud.approvals.models import Answer, Confirmation
from govcloud.audit.models import Event, Outcome
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
from govcloud.organisation import handover
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.orders import Scene, decided, drafted, scene, submitted
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


def test_the_form_has_what_the_department_said_of_the_delivery(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    with translation.override("zh-hans"):
        assert "反馈确认" not in [stage["name"] for stage in contents_of(order, at=at)["stages"]]
        admin = member(Role.CLOUD_ADMIN)
        Confirmation.objects.create(
            case=order.case, position=0, asked_at=at, due_at=at, answer=Answer.DEFECTS, remark="磁盘只有 50 GB",
            answered_by=on.applicant, answered_at=at, remedy="已扩容", remedied_by=admin, remedied_at=at,
        )  # fmt: skip
        Confirmation.objects.create(case=order.case, position=1, asked_at=at, due_at=at)
        last = contents_of(order, at=at)["stages"][-1]
        assert approval_form(order=order, at=at).startswith(b"%PDF")
    told = [(each["verb"], each["opinion"], each["decider"]) for each in last["decisions"]]
    assert (last["name"], told) == (
        "反馈确认",
        [("已反馈问题", "磁盘只有 50 GB", str(on.applicant)), ("已整改", "已扩容", str(admin))],
    )


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


def test_the_form_says_who_submitted_it_whoever_the_order_is_of_by_now(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    assert dict(contents_of(order, at=at)["facts"])["Submitted by"] == on.applicant.audit_name
    successor = member(Role.APPLICANT, on.department)
    handover.hand_over(
        person=on.applicant, successors=[successor], reason="retired", force=False,
        actor=member(Role.SECURITY_ADMIN), at=at,
    )  # fmt: skip
    facts = dict(contents_of(Order.objects.get(pk=order.pk), at=at)["facts"])
    assert facts["Submitted by"] == f"{on.applicant} (present applicant: {successor})"


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


def test_the_forms_font_has_no_glyph_that_would_be_left_blank() -> None:
    """Typst 0.15 leaves out the first glyph of a document whose number takes more than 15 bits."""
    font = (FONTS / "NotoSansSC-Regular.otf").read_bytes()
    (tables,) = struct.unpack(">H", font[4:6])
    directory = {font[at : at + 4]: at for at in range(12, 12 + 16 * tables, 16)}
    (offset,) = struct.unpack(">I", font[directory[b"maxp"] + 8 : directory[b"maxp"] + 12])
    (glyphs,) = struct.unpack(">H", font[offset + 4 : offset + 6])
    assert 20_000 < glyphs < 2**15
