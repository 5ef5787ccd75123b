"""The papers an order is founded on: taken in, looked through for viruses, kept outside of the web root, bound by the revision.

A file is written whole before its row is, and removed after its row is gone, so that a row without its file cannot be.
"""

import hashlib
import os
import subprocess
import unicodedata
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Absent, Conflict, Invalid, Unavailable
from govcloud.orders.contents import FORMATS, Format, format_of
from govcloud.orders.models import Attachment, Order
from govcloud.orders.revisions import next_number
from govcloud.orders.submission import locked, require_editable
from tenants.models import Role, User
from tenants.policies import require

log = structlog.get_logger(__name__)

MOST_FILES = 20
LONGEST_NAME = 120
NOT_IN_NAMES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # categories of Unicode
TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
SCAN_SECONDS = 60


class AttachmentEmpty(Invalid):
    code = "attachment-empty"
    message = _("The file “%(name)s” is empty.")


class AttachmentTooLarge(Invalid):
    code = "attachment-too-large"
    message = _("The files of an order have at most %(most)s MB together; with “%(name)s” it would be more.")


class TooManyAttachments(Conflict):
    code = "too-many-attachments"
    message = _("An order has at most %(most)s files.")


class AttachmentNotTaken(Invalid):
    code = "attachment-not-taken"
    message = _(
        "“%(name)s” is not what its name says, or of a kind that is not taken. Taken are: %(taken)s, without macros."
    )


class AttachmentNameBad(Invalid):
    code = "attachment-name-bad"
    message = _(
        "A file needs a name of at most %(most)s characters, without line breaks, slashes and control characters."
    )


class AttachmentThere(Conflict):
    code = "attachment-there"
    message = _("The order has this file already: “%(name)s”.")


class AttachmentInfected(Invalid):
    code = "attachment-infected"
    message = _("The virus scanner refuses “%(name)s”.")


class ScannerDoesNotAnswer(Unavailable):
    code = "virus-scanner-does-not-answer"
    message = _("The virus scanner does not answer; without it no file is taken. Try again later.")


class AttachmentGone(Absent):
    code = "attachment-gone"
    message = _("This file has been taken out of the order.")


class AttachmentLost(Unavailable):
    code = "attachment-lost"
    message = _(
        "The file “%(name)s” is not there at the moment, or not as it was taken in. The operators have been told."
    )


def attach(*, order: Order, name: str, content: bytes, actor: User, at: datetime) -> Attachment:
    """Add a file to a draft, or to an order that was returned.

    Raises RoleMissing, NotEditable, AttachmentNameBad, AttachmentEmpty, AttachmentNotTaken, AttachmentTooLarge,
    TooManyAttachments, AttachmentThere, AttachmentInfected (audited) and ScannerDoesNotAnswer.
    """
    name = _named(name)
    found = _recognised(name, content)
    require(actor, Role.APPLICANT, at=at, department=order.system.department)
    uuid = uuid4()
    path = path_of(uuid)
    _keep(path, content)
    try:
        _scan(path, name)
        with transaction.atomic():
            return _written(locked(order), uuid, name, content, found, actor=actor, at=at)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, AttachmentInfected):
            refuse(
                actor=actor,
                verb="attachment.added",
                subject=order,
                at=at,
                thread=order.uuid,
                reason=error.code,
            )
        raise


def remove(*, attachment: Attachment, actor: User, at: datetime) -> None:
    """Take a file out of an order that can be edited; one that was submitted with a revision is kept with it.

    Raises RoleMissing, NotEditable, and AttachmentGone a second time.
    """
    with transaction.atomic():
        order = locked(attachment.order)
        require(actor, Role.APPLICANT, at=at, department=order.system.department)
        require_editable(order)
        row = Attachment.objects.in_the_order().filter(pk=attachment.pk).first()
        if row is None:
            raise AttachmentGone
        audit.record(
            actor=actor, verb="attachment.removed", subject=order, at=at, thread=order.uuid, label=row.name,
            before=told_of(row),
        )  # fmt: skip
        _note_writer(order, actor)
        if row.first_revision < next_number(order):
            row.removed_before = next_number(order)
            row.save(update_fields=["removed_before"])
            return
        path = path_of(row.uuid)
        row.delete()
        transaction.on_commit(lambda: path.unlink(missing_ok=True))


def download(*, attachment: Attachment, actor: User, at: datetime) -> bytes:
    """Its bytes for somebody who takes it out, which is audited. It is not told in the order's story, which is packed for the
    archive. Raises AttachmentLost.
    """
    content = read(attachment)
    with transaction.atomic():
        audit.record(
            actor=actor, verb="attachment.downloaded", subject=attachment.order, at=at, thread=None,
            label=attachment.name, after=told_of(attachment),
        )  # fmt: skip
    return content


def read(attachment: Attachment) -> bytes:
    """Its bytes, as they were taken in. Raises AttachmentLost when they are not there, or not the same any more."""
    try:
        content = path_of(attachment.uuid).read_bytes()
    except OSError as error:
        log.exception("attachment lost", attachment=str(attachment.uuid))
        raise AttachmentLost(name=attachment.name) from error
    if hashlib.sha256(content).hexdigest() != attachment.sha256:
        log.error("attachment is not what was taken in", attachment=str(attachment.uuid))
        raise AttachmentLost(name=attachment.name)
    return content


def _written(
    order: Order, uuid: UUID, name: str, content: bytes, found: Format, *, actor: User, at: datetime
) -> Attachment:
    require_editable(order)
    others = Attachment.objects.in_the_order().filter(order=order)
    if others.count() >= MOST_FILES:
        raise TooManyAttachments(most=MOST_FILES)
    size = (others.aggregate(size=Sum("size"))["size"] or 0) + len(content)
    if size > settings.ATTACHMENTS_MB * 1024 * 1024:
        raise AttachmentTooLarge(most=settings.ATTACHMENTS_MB, name=name, pointers=("/file",))
    digest = hashlib.sha256(content).hexdigest()
    same = others.filter(sha256=digest).first() or others.filter(name=name).first()
    if same is not None:
        raise AttachmentThere(name=same.name)
    row = Attachment.objects.create(
        uuid=uuid, order=order, name=name, content_type=found.content_type, size=len(content), sha256=digest,
        first_revision=next_number(order), scanned=bool(settings.ATTACHMENT_SCANNER), added_by=actor, added_at=at,
    )  # fmt: skip
    _note_writer(order, actor)
    audit.record(
        actor=actor,
        verb="attachment.added",
        subject=order,
        at=at,
        thread=order.uuid,
        label=name,
        after=told_of(row),
    )
    return row


def _note_writer(order: Order, actor: User) -> None:
    """What an order is founded on is of its content: who changes it decides on it no more than who writes the rest."""
    if actor.pk not in order.writers:
        order.written_by(actor)
        order.save(update_fields=["writers"])


def told_of(row: Attachment) -> dict[str, object]:
    """What the audit trail tells of a file."""
    return {"file": str(row.uuid), "name": row.name, "size": row.size, "sha256": row.sha256}


def _named(name: str) -> str:
    """The last part of a path, in one form of Unicode and with plain spaces. Raises AttachmentNameBad."""
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    plain = "".join(" " if unicodedata.category(each) == "Zs" else each for each in last).strip()
    if not 1 <= len(plain) <= LONGEST_NAME or any(_misleads(each) for each in plain):
        raise AttachmentNameBad(most=LONGEST_NAME, pointers=("/file",))
    return plain


def _misleads(character: str) -> bool:
    """Whether it would break the line, turn the reading direction of what follows, or cannot be written at all."""
    return unicodedata.category(character) in NOT_IN_NAMES or unicodedata.bidirectional(character) in TURNING


def _recognised(name: str, content: bytes) -> Format:
    if not content:
        raise AttachmentEmpty(name=name, pointers=("/file",))
    if len(content) > settings.ATTACHMENTS_MB * 1024 * 1024:
        raise AttachmentTooLarge(most=settings.ATTACHMENTS_MB, name=name, pointers=("/file",))
    found = format_of(name, content)
    if found is None:
        raise AttachmentNotTaken(
            name=name, taken=_(", ").join(each.name for each in FORMATS), pointers=("/file",)
        )
    return found


def path_of(uuid: UUID) -> Path:
    """Where a file is kept: by its id, so that no name of a user's is ever a path."""
    return Path(settings.ATTACHMENT_DIR) / uuid.hex[:2] / uuid.hex


def _keep(path: Path, content: bytes) -> None:
    """Down to the disk, for the owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _scan(path: Path, name: str) -> None:
    """Ask the scanner: as clamdscan has it, 0 says clean, 1 infected, and anything else that it could not tell."""
    if not settings.ATTACHMENT_SCANNER:
        return
    command = [*settings.ATTACHMENT_SCANNER, str(path)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=SCAN_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("virus scanner", reason=type(error).__name__)
        raise ScannerDoesNotAnswer from error
    if done.returncode == 1:
        raise AttachmentInfected(name=name, pointers=("/file",))
    if done.returncode != 0:
        log.warning("virus scanner", status=done.returncode)
        raise ScannerDoesNotAnswer
