"""An order as approvers see it: canonical content, bound by a hash, with the quote frozen beside it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from govcloud.catalog.models import Kind, Site
from govcloud.orders.changes import (
    AddressLine,
    ExtendLine,
    LimitLine,
    QuotaLine,
    ReleaseLine,
    RenewLine,
    ResizeLine,
    RetypeLine,
)
from govcloud.orders.lines import BackupLine, ContainerLine, Line, NetworkLine, ServerLine, StorageLine
from govcloud.orders.models import Action, Attachment, Order, QuoteLine, Revision
from govcloud.orders.quotes import Quote
from tenants.models import User

Content = Mapping[str, Any]
LARGEST_EXACT = 2**53 - 1  # RFC 8785 takes numbers as IEEE doubles do; beyond it two writers could differ


def canonical(content: Content) -> bytes:
    """The content as RFC 8785 writes it: keys sorted, nothing between tokens, UTF-8.

    Raises ValueError for a number that is not an exact integer: decimals are strings here.
    """
    _refuse_inexact(content)
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(content: Content) -> str:
    """SHA-256, hex, of the canonical content."""
    return hashlib.sha256(canonical(content)).hexdigest()


def _refuse_inexact(value: Any) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not key.isascii():  # sorting by code point and by UTF-16 unit agree on ASCII only
                raise ValueError(f"not an ASCII key: {key!r}")
            _refuse_inexact(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_inexact(inner)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) > LARGEST_EXACT):
        raise ValueError(f"not an exact integer: {value!r}")


def content_of(
    *, order: Order, number: int, lines: Sequence[Line], quote: Quote, files: Sequence[Attachment] = ()
) -> Content:
    """Everything an approver decides on."""
    system = order.system
    papers = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in files]
    return {
        **({"attachments": papers} if papers else {}),  # what was submitted without any keeps its hash
        "order": str(order.uuid),
        "number": order.number,
        "revision": number,
        "title": order.title,
        "justification": order.justification,
        # what was submitted before an order could be urgent keeps its hash
        **({"urgency": order.urgency} if order.urgency else {}),
        "department": {"uuid": str(system.department.uuid), "name": system.department.name},
        "system": {
            "uuid": str(system.uuid),
            "code": system.code,
            "name": system.name,
            "mlps_level": system.mlps_level,
            "filing_number": system.filing_number,
            "zone": system.zone,
        },
        "items": [described(line) for line in lines],
        "quote": {
            "lines": [
                {
                    "item": line.item,
                    "meter": line.meter.code,
                    "quantity": plain(line.quantity),
                    "per_month": plain(line.per_month),
                    "amount": plain(line.amount),
                }
                for line in quote.lines
            ],
            "monthly_total": plain(quote.monthly_total),
        },
    }


def described(line: Line) -> dict[str, Any]:  # noqa: C901, PLR0911, PLR0912  one for each kind of line
    """An item in plain data, by the codes and ids under which it was ordered."""
    common: dict[str, Any] = {
        "action": str(line.action),
        "kind": str(line.kind),
        "name": line.name,
        "zone": line.zone,
    }
    match line:
        case NetworkLine():
            # what was submitted before there was a choice keeps its hash
            return common if line.site == Site.MAIN else {**common, "site": line.site}
        case ServerLine():
            return {**common, **_server(line)}
        case BackupLine():
            return {
                **common,
                "dr_level": line.tier.level,
                "dr_edition": line.tier.edition,
                "capacity_gb": line.capacity_gb,
                "frequency": line.frequency,
                "off_site": line.off_site,
            }
        case StorageLine():
            return {**common, **_storage(line)}
        case ContainerLine():
            ordered = {"storage_class": line.storage_class.code, "quota_gb": line.quota_gb}
            return {**common, **ordered, "lease_months": line.lease_months}
        case QuotaLine():
            changed = {"from_gb": line.container.quota_gb, "quota_gb": line.quota_gb}
            return {**common, "target": str(line.target.uuid), **changed}
        case ExtendLine():
            grown = {"from_gb": line.volume.size_gb, "size_gb": line.size_gb}
            return {**common, "target": str(line.target.uuid), **grown}
        case ResizeLine():
            return {**common, "target": str(line.target.uuid), **_resized(line)}
        case AddressLine():
            through = str(line.network.resource.uuid)
            return {**common, "target": str(line.target.uuid), "floating_address": True, "network": through}
        case RetypeLine():
            moved = {"from_class": line.before.code, "storage_class": line.storage_class.code}
            return {**common, "target": str(line.target.uuid), **moved, "size_gb": line.volume.size_gb}
        case RenewLine():
            runs_until = line.target.lease_end.isoformat() if line.target.lease_end else ""
            extended = {"lease_months": line.lease_months, "from_lease_end": runs_until}
            return {**common, "target": str(line.target.uuid), **extended}
        case LimitLine():
            until = {} if line.until is None else {"until": line.until.isoformat()}
            # what was submitted while no temporary raise was in force keeps its hash
            lasting = (
                {} if line.lasting_before == line.before else {"from_lasting_limit": line.lasting_before}
            )
            return {**common, "from_limit": line.before, **lasting, "limit": line.limit, **until}
        case ReleaseLine():
            with_it = [str(volume.resource.uuid) for volume in line.volumes]
            contents = {"delete_contents": line.delete_contents} if line.kind == Kind.CONTAINER else {}
            return {**common, "target": str(line.target.uuid), "volumes": with_it, **contents}


def _resized(line: ResizeLine) -> dict[str, Any]:
    return {
        "from_flavor": line.server.flavor.code,
        "from_vcpus": line.server.vcpus,
        "from_memory_gb": line.server.memory_gb,
        "flavor": line.flavor.code,
        "vcpus": line.flavor.vcpus,
        "memory_gb": line.flavor.memory_gb,
    }


def _storage(line: StorageLine) -> dict[str, Any]:
    server = {} if line.server is None else {"server": str(line.server.uuid)}
    ordered = {"storage_class": line.storage_class.code, "size_gb": line.size_gb}
    return {**ordered, **server, "lease_months": line.lease_months}


def _server(line: ServerLine) -> dict[str, Any]:
    return {
        "quantity": line.quantity,
        "flavor": line.flavor.code,
        "vcpus": line.flavor.vcpus,
        "memory_gb": line.flavor.memory_gb,
        "image": line.image.code,
        "network": str(line.network.uuid) if line.network else {"item": line.network_line},
        "volumes": [{"storage_class": v.storage_class.code, "size_gb": v.size_gb} for v in line.volumes],
        "lease_months": line.lease_months,
    }


def plain(number: Decimal) -> str:
    """The number in full, without an exponent and without zeros that say nothing: 0.7, 1452, 0."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def next_number(order: Order) -> int:
    """Of the revision that the order is submitted as next: each submission moves the case to its revision."""
    return order.case.revision + 1 if order.case is not None else 1


def freeze(
    *,
    order: Order,
    lines: Sequence[Line],
    quote: Quote,
    files: Sequence[Attachment],
    actor: User,
    at: datetime,
) -> Revision:
    """Write the next revision of the order and its quote lines; neither can be changed afterwards.

    ``files`` are those in the order, read under its lock.
    """
    number = next_number(order)
    content = content_of(order=order, number=number, lines=lines, quote=quote, files=files)
    revision = Revision.objects.create(
        order=order,
        number=number,
        content=content,
        digest=digest(content),
        monthly_total=quote.monthly_total,
        submitted_by=actor,
        submitted_at=at,
    )
    QuoteLine.objects.bulk_create(
        QuoteLine(
            revision=revision,
            position=position,
            item_position=line.item,
            meter=line.meter,
            quantity=line.quantity,
            per_month=line.per_month,
            amount=line.amount,
        )
        for position, line in enumerate(quote.lines)
    )
    return revision


def renewed_from(order: Order) -> dict[str, datetime]:
    """When the leases that an order extends ended as it was submitted last, by the uuids of what is let."""
    revision = order.revisions.latest("number")
    return {
        item["target"]: datetime.fromisoformat(item["from_lease_end"])
        for item in revision.content["items"]
        if item["action"] == Action.RENEW
    }
