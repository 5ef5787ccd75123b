"""Units as they change: what is said of them, where they stand in the tree, and their end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, transaction
from django.db.models import Value
from django.db.models.functions import Concat, Substr
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict, Invalids
from govcloud.organisation import standing
from govcloud.quotas import moving
from tenants import memberships
from tenants.models import Department, Membership
from tenants.naming import name_of
from tenants.services import CreditCodeTaken, UnitClosed, checked_credit_code, open_unit, wrong_names

EDITABLE: Final = ("name", "name_en", "credit_code", "division")
TREE = 4_711_002
"""Key of the advisory lock under which the tree is changed: two moves at once could make a ring."""


class UnitChanged(Conflict):
    """It was changed since it was read."""

    code = "unit-changed"
    message = _("The unit has been changed since you read it: it is at version %(version)s now.")
    status: ClassVar[int] = 412


class BelowItself(Conflict):
    code = "unit-below-itself"
    message = _("%(department)s cannot stand below itself or below one of its own subordinate units.")


class UnitNotEmpty(Conflict):
    code = "unit-not-empty"
    message = _("%(department)s cannot be closed yet: it has %(standing)s.")


def change(
    *,
    department: Department,
    changes: Mapping[str, Any],
    expected_version: int,
    actor: audit.Actor,
    at: datetime,
) -> Department:
    """Change what is named of EDITABLE. Where it stands in the tree, and its connection, have verbs of their own.

    Raises Invalids, CreditCodeTaken, UnitClosed and UnitChanged.
    """
    with transaction.atomic():
        current = _locked(department, expected_version=expected_version)
        before = _told(current)
        for column in EDITABLE:
            setattr(current, column, changes.get(column, getattr(current, column)))
        current.name, current.name_en = current.name.strip(), current.name_en.strip()
        current.credit_code, errors = checked_credit_code(current.credit_code)
        errors = [*wrong_names(current.name, current.name_en), *errors]
        if errors:
            raise Invalids(errors)
        after = _told(current)
        changed = [name for name in after if after[name] != before[name]]
        if not changed:
            return current
        current.version += 1
        _save(current)
        audit.record(
            actor=actor, verb="department.changed", subject=current, at=at,
            before={name: before[name] for name in changed}, after={name: after[name] for name in changed},
        )  # fmt: skip
    return current


def move(
    *, department: Department, parent: Department | None, reason: str, actor: audit.Actor, at: datetime
) -> Department:
    """Put a unit, with all below it, below another one or at the top of the tree.

    What is used counts in its new place from now on; while anything is held it cannot be moved (see ``quotas.moving``).
    Memberships reach as far down as the tree does: whoever decides for the units above decides for it from now on.

    Raises UnitClosed, BelowItself, QuotaHeld and QuotaExceeded.
    """
    with transaction.atomic():
        _lock_tree()
        current = open_unit(department, pointer="")
        above = open_unit(parent, pointer="/parent") if parent else None
        if above is not None and above.path.startswith(current.path):
            raise BelowItself(department=name_of(current), pointers=("/parent",))
        if current.parent_id == (above.pk if above else None):
            return current
        before = _place(current)
        moving.transfer(department=current, above=above, source=uuid4(), at=at)
        _rewrite_paths(current, above)
        current.parent, current.version = above, current.version + 1
        current.save(update_fields=["parent", "version"])
        current.refresh_from_db(fields=["path"])
        audit.record(
            actor=actor, verb="department.moved", subject=current, at=at,
            before=before, after=_place(current), reason=reason,
        )  # fmt: skip
    return current


def close(*, department: Department, reason: str, actor: audit.Actor, at: datetime) -> Department:
    """For good, once nothing is open or standing in it. The roles that people hold in it end. Raises UnitNotEmpty."""
    with transaction.atomic():
        _lock_tree()
        current = open_unit(department, pointer="")
        left = standing.of_unit(current)
        if left:
            raise UnitNotEmpty(department=name_of(current), standing=left.told())
        for membership in Membership.objects.filter(department=current).select_related("user"):
            memberships.end(membership=membership, reason=reason, actor=actor, at=at)
        current.closed_at, current.version = at, current.version + 1
        current.save(update_fields=["closed_at", "version"])
        audit.record(
            actor=actor, verb="department.closed", subject=current, at=at,
            before={"closed": False}, after={"closed": True}, reason=reason,
        )  # fmt: skip
    return current


def _lock_tree() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TREE])


def _locked(department: Department, *, expected_version: int) -> Department:
    current = (
        Department.objects.select_for_update(of=("self",), no_key=True)
        .select_related("division", "parent")
        .get(pk=department.pk)
    )
    if current.closed_at is not None:
        raise UnitClosed(department=name_of(current))
    if current.version != expected_version:
        raise UnitChanged(version=current.version)
    return current


def _save(department: Department) -> None:
    taken = CreditCodeTaken(given=department.credit_code, pointers=("/credit_code",))
    try:
        with transaction.atomic():
            department.save(update_fields=[*EDITABLE, "version"])
    except IntegrityError as error:
        raise taken from error


def _rewrite_paths(department: Department, above: Department | None) -> None:
    """Of the whole subtree, in one statement. Its rows are locked first: what is being registered below comes along."""
    old = department.path
    subtree = Department.objects.below(old)
    list(subtree.select_for_update().order_by("pk").values_list("pk", flat=True))
    new = f"{above.path if above else '/'}{department.pk}/"
    subtree.update(path=Concat(Value(new), Substr("path", len(old) + 1)))


def _told(department: Department) -> dict[str, str]:
    return {
        "name": department.name,
        "name_en": department.name_en,
        "credit_code": department.credit_code,
        "division": department.division.code,
    }


def _place(department: Department) -> dict[str, Any]:
    parent: UUID | None = department.parent.uuid if department.parent else None
    return {"parent": str(parent) if parent else None, "path": department.path}
