"""Files of failed uploads and of discarded drafts are removed; every other file stays."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import Settings

from govcloud.alone import alone
from govcloud.audit.models import Event
from govcloud.orders import attachments, discarded, services
from govcloud.orders.models import Attachment, Order
from tests.at_once import at_once
from tests.factories.orders import Scene, decided, drafted, scene

pytestmark = pytest.mark.django_db(transaction=True)

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
NOW = datetime.now(UTC)
TWO_DAYS = timedelta(days=2)
MONTHS = timedelta(days=60)


@pytest.fixture(autouse=True)
def shelf(settings: Settings, tmp_path: Path) -> Path:
    settings.ATTACHMENT_DIR = tmp_path / "attachments"
    return tmp_path / "attachments"


@pytest.fixture
def on() -> Scene:
    return scene()


def kept(shelf: Path) -> set[Path]:
    return {path for path in shelf.rglob("*") if path.is_file()}


def left_behind(*, age: timedelta = TWO_DAYS) -> Path:
    """A file as an upload leaves it whose process was killed before its row was written."""
    path = attachments.path_of(uuid4())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(PDF)
    then = (NOW - age).timestamp()
    os.utime(path, (then, then))
    return path


def attached(order: Order, on: Scene, at: datetime, content: bytes = PDF) -> Path:
    """With an order, and on the disk for long."""
    name = f"{Attachment.objects.count()}.pdf"
    row = attachments.attach(order=order, name=name, content=content, actor=on.applicant, at=at)
    path = attachments.path_of(row.uuid)
    os.utime(path, (0, 0))
    return path


def test_a_file_that_no_row_names_goes_after_a_day(on: Scene, at: datetime, shelf: Path) -> None:
    named = attached(drafted(on, at=at), on, at)
    left, young = left_behind(), left_behind(age=timedelta(hours=23))
    swept = discarded.sweep(now=NOW, at=at)
    assert (swept, kept(shelf)) == (discarded.Swept(1, 0), {named, young})
    told = Event.objects.get(verb="attachment.swept")
    (file,) = told.after["files"]
    assert (attachments.path_of(UUID(file)), told.after["size"]) == (left, len(PDF))
    assert discarded.sweep(now=NOW, at=at) == discarded.Swept(0, 0)
    assert Event.objects.filter(verb="attachment.swept").count() == 1


def test_what_is_not_named_as_files_of_orders_are_is_left_alone(on: Scene, at: datetime, shelf: Path) -> None:
    ours = left_behind()
    strange = [
        shelf / "readme.txt",
        ours.parent / "notes",
        shelf / "zz" / uuid4().hex,
        ours.parent / f"{ours.name}.bak",
    ]
    for path in strange:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    (ours.parent / uuid4().hex).symlink_to(strange[0])
    discarded.sweep(now=NOW, at=at)
    assert not ours.exists()
    assert all(path.exists() for path in strange)


def test_a_store_without_a_directory_has_nothing_to_remove(at: datetime) -> None:
    assert discarded.sweep(now=NOW, at=at) == discarded.Swept(0, 0)


def test_an_upload_under_way_is_never_swept(
    on: Scene, at: datetime, settings: Settings, tmp_path: Path
) -> None:
    """The scanner takes its time: the file is there, its row is not."""
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"
    scanner = tmp_path / "scanner"
    scanner.write_text(f"#!/bin/sh\ntouch {begun}\nwhile ! test -e {go_on}; do sleep 0.05; done\n")
    scanner.chmod(0o700)
    settings.ATTACHMENT_SCANNER = [str(scanner)]
    order = drafted(on, at=at)

    def upload() -> Attachment:
        try:
            return attachments.attach(order=order, name="a.pdf", content=PDF, actor=on.applicant, at=at)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        uploading = threads.submit(upload)
        while not begun.exists():
            assert not uploading.done()
        swept = discarded.sweep(now=datetime.now(UTC), at=at + MONTHS)  # a demo's clock is ahead
        go_on.touch()
    assert swept == discarded.Swept(0, 0)
    assert attachments.read(uploading.result()) == PDF


def test_files_of_a_discarded_draft_go_when_their_time_is_over(on: Scene, at: datetime, shelf: Path) -> None:
    order = drafted(on, at=at)
    path = attached(order, on, at)
    services.withdraw(order=order, reason="不再需要", actor=on.applicant, at=at)
    discarded.sweep(now=NOW, at=at + timedelta(days=30))
    assert kept(shelf) == {path}
    assert discarded.sweep(now=NOW, at=at + timedelta(days=30, seconds=1)) == discarded.Swept(0, 1)
    assert (kept(shelf), Attachment.objects.count()) == (set(), 0)
    told = Event.objects.get(verb="attachment.removed")
    assert (told.actor, told.reason, told.thread) == ("system:attachments", "draft-discarded", order.uuid)


def test_what_was_ever_submitted_keeps_its_files(on: Scene, at: datetime, shelf: Path) -> None:
    """One withdrawn after a return, with a file that was taken out since and another that came since."""
    order = drafted(on, at=at)
    attached(order, on, at)
    services.submit(order=order, actor=on.applicant, at=at)
    order = decided(on, Order.objects.get(), at=at, verb="return", opinion="请补充批复")
    attachments.remove(attachment=Attachment.objects.get(), actor=on.applicant, at=at)
    attached(order, on, at, PDF + b"2")
    services.withdraw(order=Order.objects.get(), reason="不再需要", actor=on.applicant, at=at)
    draft = drafted(on, at=at, title="另一份")
    attached(draft, on, at)
    before = kept(shelf)
    assert discarded.sweep(now=NOW, at=at + MONTHS) == discarded.Swept(0, 0)
    assert (kept(shelf), len(before)) == (before, 3)


def test_a_directory_that_seems_to_be_anothers_is_left_alone_until_somebody_has_looked(
    at: datetime, shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(discarded, "MOST_UNNAMED", 2)
    files = {left_behind() for _each in range(3)}
    assert discarded.sweep(now=NOW, at=at) == discarded.Swept(0, 0)
    call_command("sweep_attachments", "--dry-run")
    told = capsys.readouterr().out
    assert (kept(shelf), all(path.name in told for path in files)) == (files, True)
    call_command("sweep_attachments")
    assert "3 files without an order and 0 of discarded drafts removed." in capsys.readouterr().out
    assert kept(shelf) == set()


def test_only_one_sweeps_at_a_time(at: datetime, shelf: Path) -> None:
    left = left_behind()
    with transaction.atomic():
        assert alone(discarded.ALONE)
        assert at_once([lambda: discarded.sweep(now=NOW, at=at)]) == [None]
        assert kept(shelf) == {left}
    discarded.sweep(now=NOW, at=at)
    assert kept(shelf) == set()
