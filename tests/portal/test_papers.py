"""The papers of an order on its page: files added and removed, the form and the package fetched."""

from datetime import datetime
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.orders import services
from govcloud.orders.attachments import AttachmentLost
from govcloud.orders.models import Attachment, Order
from tenants.models import Role
from tests.factories.orders import Scene, drafted, scene
from tests.factories.tenants import DepartmentFactory, member
from tests.portal.conftest import Signed
from tests.portal.reading import text

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime, settings: Settings, tmp_path: Path) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    settings.ATTACHMENT_DIR = tmp_path


@pytest.fixture
def on(db: None) -> Scene:
    return scene()


@pytest.fixture
def draft(on: Scene, at: datetime) -> Order:
    return drafted(on, at=at)


def added(client: Client, order: Order, *files: tuple[str, bytes]) -> object:
    chosen = [SimpleUploadedFile(name, content) for name, content in files]
    return client.post(f"/orders/{order.number}/files/", {"files": chosen})


def test_files_are_added_fetched_and_removed(on: Scene, draft: Order, signed_in: Signed) -> None:
    applicant = signed_in(on.applicant)
    assert added(applicant, draft, ("批复.pdf", PDF), ("方案.pdf", PDF + b"2")).status_code == 302
    page = text(applicant.get(f"/orders/{draft.number}/"))
    assert ("批复.pdf" in page, "方案.pdf" in page) == (True, True)
    row = Attachment.objects.get(name="批复.pdf")
    url = f"/orders/{draft.number}/files/{row.uuid}/"
    answer = applicant.get(url)
    assert (answer.content, answer.headers["Content-Security-Policy"]) == (PDF, "sandbox; default-src 'none'")
    told = Event.objects.get(verb="attachment.downloaded")
    assert (told.actor, told.subject_label) == (on.applicant.audit_ref, "批复.pdf")
    assert applicant.post(f"/orders/{draft.number}/files/removal/{row.uuid}/").status_code == 302
    assert applicant.get(url).status_code == 404


def test_a_file_that_its_disk_has_lost_is_told_of_on_the_page(
    on: Scene, draft: Order, signed_in: Signed, settings: Settings
) -> None:
    applicant = signed_in(on.applicant)
    added(applicant, draft, ("批复.pdf", PDF))
    row = Attachment.objects.get()
    for path in settings.ATTACHMENT_DIR.rglob("*"):
        if path.is_file():
            path.unlink()
    page = applicant.get(f"/orders/{draft.number}/files/{row.uuid}/")
    assert (page.status_code, draft.title in text(page)) == (503, True)
    assert AttachmentLost(name="批复.pdf").detail in text(page)


def test_what_is_refused_is_told_on_the_page_and_the_others_stay(
    on: Scene, draft: Order, signed_in: Signed
) -> None:
    applicant = signed_in(on.applicant)
    chosen = (
        ("批复.pdf", PDF),
        ("virus.exe", b"MZ"),
        ("方案.pdf", PDF + b"2"),
        ("空.pdf", b""),
        ("又.pdf", PDF),
    )
    refused = added(applicant, draft, *chosen)
    page = text(refused)
    assert (refused.status_code, "3 of the 5 files were not added:" in page) == (422, True)
    for words in (
        "virus.exe: “virus.exe” is not what",
        "空.pdf: The file",
        "又.pdf: The order has this file already",
    ):
        assert words in page
    assert list(Attachment.objects.order_by("pk").values_list("name", flat=True)) == ["批复.pdf", "方案.pdf"]
    alone = text(added(applicant, draft, ("virus.exe", b"MZ")))
    assert "“virus.exe” is not what its name says" in alone
    assert "files was not added" not in alone
    nothing = applicant.post(f"/orders/{draft.number}/files/")
    assert (nothing.status_code, "Choose a file first." in text(nothing)) == (422, True)


@pytest.mark.parametrize("space", ["\u3000", "\u202f", "\u00a0"])
def test_a_space_of_another_kind_in_a_name_keeps_no_file_out(
    on: Scene, draft: Order, signed_in: Signed, space: str
) -> None:
    """Django leaves out of an upload's name what cannot be printed, and takes these spaces for such."""
    assert added(signed_in(on.applicant), draft, (f"截屏{space}批复.pdf", PDF)).status_code == 302
    assert Attachment.objects.get().name == "截屏批复.pdf"


def test_only_who_may_change_the_order_is_offered_to_add(
    on: Scene, draft: Order, at: datetime, signed_in: Signed
) -> None:
    url, offer = f"/orders/{draft.number}/", 'enctype="multipart/form-data"'
    assert offer in signed_in(on.applicant).get(url).content.decode()
    admin = signed_in(member(Role.CLOUD_ADMIN))
    assert offer not in admin.get(url).content.decode()
    assert added(admin, draft, ("批复.pdf", PDF)).status_code == 403
    services.submit(order=draft, actor=on.applicant, at=at)
    applicant = signed_in(on.applicant)
    assert offer not in applicant.get(url).content.decode()
    assert added(applicant, draft, ("批复.pdf", PDF)).status_code == 409


def test_the_form_is_there_once_it_was_submitted_and_the_package_once_it_is_closed(
    on: Scene, draft: Order, at: datetime, signed_in: Signed
) -> None:
    applicant, url = signed_in(on.applicant), f"/orders/{draft.number}/"
    early = applicant.get(f"{url}form.pdf")
    assert (early.status_code, "has not been submitted" in text(early)) == (409, True)
    assert "form.pdf" not in applicant.get(url).content.decode()
    services.submit(order=draft, actor=on.applicant, at=at)
    assert f"{url}form.pdf" in applicant.get(url).content.decode()
    assert applicant.get(f"{url}form.pdf").content.startswith(b"%PDF-")
    assert Event.objects.filter(verb="order.printed", actor=on.applicant.audit_ref).count() == 1
    still_open = applicant.get(f"{url}package.zip")
    assert (still_open.status_code, "closed" in text(still_open)) == (409, True)


def test_papers_of_another_department_are_not_there(on: Scene, draft: Order, signed_in: Signed) -> None:
    added(signed_in(on.applicant), draft, ("批复.pdf", PDF))
    row = Attachment.objects.get()
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    for path in ("form.pdf", "package.zip", f"files/{row.uuid}/"):
        assert stranger.get(f"/orders/{draft.number}/{path}").status_code == 404
    for path in ("files/", f"files/removal/{row.uuid}/"):
        assert stranger.post(f"/orders/{draft.number}/{path}").status_code == 404
