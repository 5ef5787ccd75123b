"""The approval form (审批表) of an order as an A4 PDF: what was asked for, on what grounds, and what everybody decided.

It shows the last revision as it was frozen. The same rows give the same form, but for the time at which it was made.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Prefetch
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.models import CaseStage, Decision
from govcloud.approvals.telling import exchanged, handed_on, said, signed_by
from govcloud.audit import services as audit
from govcloud.catalog.models import Kind
from govcloud.errors import Conflict
from govcloud.orders.models import Action, Order, Revision
from govcloud.periods import wall_clock
from tenants.models import Department, NetworkZone, Role, System, User
from tenants.naming import name_of

HERE = Path(__file__).resolve().parent
FONTS = HERE / "fonts"
TEMPLATE = HERE / "form.typ"
MEGABYTE = 1024 * 1024


class NotSubmittedYet(Conflict):
    code = "order-not-submitted-yet"
    message = _("The order %(number)s has not been submitted: there is nothing to put on a form yet.")


def printed(*, order: Order, actor: User, at: datetime) -> bytes:
    """The form for somebody who takes it out, which is audited. Raises NotSubmittedYet."""
    content = approval_form(order=order, at=at)
    with transaction.atomic():
        audit.record(
            actor=actor, verb="order.printed", subject=order, at=at, thread=None,
            after={"sha256": hashlib.sha256(content).hexdigest()},
        )  # fmt: skip
    return content


def approval_form(*, order: Order, at: datetime) -> bytes:
    """The PDF, in the language active now. Raises NotSubmittedYet."""
    import typst  # noqa: PLC0415  slow to load, and few requests ask for a form

    data = contents_of(order, at=at)
    return bytes(
        typst.compile(
            str(TEMPLATE), font_paths=[str(FONTS)], ignore_system_fonts=False,
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        )
    )  # fmt: skip


def contents_of(order: Order, *, at: datetime) -> dict[str, Any]:
    """All that the form says, in words. Raises NotSubmittedYet."""
    revision = order.revisions.select_related("submitted_by").order_by("-number").first()
    if revision is None:
        raise NotSubmittedYet(number=order.number)
    content = revision.content
    return {
        "words": _words(),
        "language": (get_language() or "zh")[:2],
        "number": order.number,
        "revision": revision.number,
        "digest": revision.digest,
        "qr": _qr(order.number),
        "facts": _facts(order, revision),
        "title": content["title"],
        "justification": content["justification"],
        "items": [_item(position, item) for position, item in enumerate(content["items"], start=1)],
        "monthly": f"{Decimal(content['quote']['monthly_total']):,.2f}",
        "attachments": [
            {**file, "size": f"{file['size'] / MEGABYTE:.2f} MB"} for file in content.get("attachments", [])
        ],
        "stages": [*(_stage(stage) for stage in _stages(order)), *_confirmation(order)],
        "printed": wall_clock(at),
    }


def _words() -> dict[str, str]:
    return {
        "title": gettext("Approval form for cloud resources"),
        "centre": gettext("Government cloud centre"),
        "revision": gettext("revision"),
        "subject": gettext("Subject"),
        "justification": gettext("Justification"),
        "action": gettext("Action"),
        "kind": gettext("Kind"),
        "name": gettext("Name"),
        "specification": gettext("Specification"),
        "quantity": gettext("Quantity"),
        "monthly": gettext("Price for a whole month"),
        "yuan": gettext("yuan"),
        "basis": gettext("Basis documents"),
        "size": gettext("Size"),
        "opinion": gettext("Opinion"),
        "decided-by": gettext("Decided by"),
        "decided-at": gettext("Time"),
        "signature": gettext("Signature and seal"),
        "note": gettext("Decisions were made in the system and are bound to the hash below."),
        "printed": gettext("Made"),
    }


def _qr(number: str) -> str:
    """The number as a QR code, an SVG document."""
    import qrcode  # noqa: PLC0415  as above
    from qrcode.image.svg import SvgPathImage  # noqa: PLC0415

    image = qrcode.make(number, image_factory=SvgPathImage, border=0)
    return bytes(image.to_string()).decode()


def _facts(order: Order, revision: Revision) -> list[tuple[str, str]]:
    system = revision.content["system"]
    level = gettext("level %(level)s") % {"level": system["mlps_level"]}
    return [
        (gettext("Order"), order.number),
        (gettext("Submitted"), wall_clock(revision.submitted_at)),
        (gettext("Department"), _named(order.system.department, revision.content["department"]["name"])),
        (gettext("Submitted by"), _submitter(order, revision)),
        (gettext("System"), f"{_named(order.system, system['name'])} ({system['code']})"),
        (gettext("Network zone"), str(NetworkZone(system["zone"]).label)),
        (gettext("MLPS level"), level),
        (gettext("Filing number"), system["filing_number"] or "—"),
    ]


def _submitter(order: Order, revision: Revision) -> str:
    """Who submitted the revision; and who the order is of by now, where that is somebody else."""
    if revision.submitted_by == order.applicant:
        return str(revision.submitted_by)
    people = {"submitter": revision.submitted_by, "applicant": order.applicant}
    return gettext("%(submitter)s (present applicant: %(applicant)s)") % people


def _named(row: Department | System, frozen: str) -> str:
    """The name that the revision holds; in English the row's, if it is still called so: a revision holds the Chinese one only."""
    return str(name_of(row)) if row.name == frozen else frozen


def _item(position: int, item: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(position),
        str(Action(item["action"]).label),
        str(Kind(item["kind"]).label),
        item["name"],
        gettext("; ").join(specification(item)),
        str(item.get("quantity", 1)),
    )


def specification(item: Mapping[str, Any]) -> Iterator[str]:
    """What an item of a revision asks for, in words; a change tells from what as well."""
    yield from _of_quota(item)
    yield from _of_a_server(item)
    yield from _of_storage(item)
    if item.get("floating_address"):
        yield gettext("floating address")
    if item["zone"]:
        yield str(NetworkZone(item["zone"]).label)
    if item.get("lease_months"):
        yield gettext("%(months)s months") % {"months": item["lease_months"]}


def _of_quota(item: Mapping[str, Any]) -> Iterator[str]:
    if "limit" not in item:
        return
    limits = [
        gettext("unlimited") if item[name] is None else str(item[name]) for name in ("from_limit", "limit")
    ]
    yield " → ".join(limits)
    if "from_lasting_limit" in item:
        yield gettext("lasting limit %(lasting)s") % {"lasting": item["from_lasting_limit"]}
    if item.get("until"):
        yield gettext("until %(day)s") % {"day": item["until"]}


def _of_a_server(item: Mapping[str, Any]) -> Iterator[str]:
    size = gettext("%(vcpus)s vCPU, %(memory)s GB")
    if "vcpus" in item:
        to = size % {"vcpus": item["vcpus"], "memory": item["memory_gb"]}
        smaller = {"vcpus": item.get("from_vcpus"), "memory": item.get("from_memory_gb")}
        yield f"{size % smaller} → {to}" if "from_vcpus" in item else to
    if "image" in item:
        yield item["image"]
    for volume in item.get("volumes", ()):
        if isinstance(volume, Mapping):  # a release tells only which they are
            yield f"{volume['storage_class'].upper()} {volume['size_gb']} GB"


def _of_storage(item: Mapping[str, Any]) -> Iterator[str]:
    if "storage_class" in item:
        moved = f"{item['from_class'].upper()} → " if "from_class" in item else ""
        yield moved + item["storage_class"].upper()
    grown = f"{item['from_gb']} → " if "from_gb" in item else ""
    for name in ("size_gb", "quota_gb", "capacity_gb"):
        if name in item:
            yield f"{grown}{item[name]} GB"
    if "dr_level" in item:
        yield gettext("DR level %(level)s") % {"level": item["dr_level"]}
        yield gettext("off site") if item["off_site"] else gettext("on site")


def _stages(order: Order) -> list[CaseStage]:
    """Of the last revision, in their order."""
    if order.case is None:
        return []
    rows = order.case.stages.filter(revision=order.case.revision).prefetch_related(
        Prefetch(
            "decisions",
            Decision.objects.select_related(
                "decider", "on_behalf_of", "seat__person", "seat__given_by", "seat__given_for"
            ).order_by("id"),
        )
    )
    return list(rows.order_by("position"))


def _stage(stage: CaseStage) -> dict[str, Any]:
    return {
        "name": str(name_of(stage)),
        "role": gettext(" and ").join(str(Role(role).label) for role in stage.roles),
        "outcome": str(stage.get_status_display()),
        "decisions": [
            {
                "verb": str(decision.get_verb_display()),
                "opinion": said(stage, decision),
                "decider": signed_by(decision),
                "given": handed_on(decision.seat),
                "at": wall_clock(decision.at),
            }
            for decision in stage.decisions.all()
        ],
    }


def _confirmation(order: Order) -> Iterator[dict[str, Any]]:
    """What the department said of the delivery, and the centre of the remedies; nothing where it was not asked."""
    rounds = list(order.case.confirmations.with_people()) if order.case is not None else []
    if rounds:
        yield {
            "name": gettext("Confirmation"),
            "role": str(Role.APPLICANT.label),
            "outcome": gettext("to be confirmed"),
            "decisions": [
                {
                    "verb": each.answer,
                    "opinion": each.words,
                    "decider": str(each.person),
                    "given": "",
                    "at": wall_clock(each.at),
                }
                for each in exchanged(rounds)
            ],
        }
