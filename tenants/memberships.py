"""How roles end. (How they are given: ``tenants.roles.grant_role``.)"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from govcloud.audit import services as audit
from tenants.access import sessions, tokens
from tenants.models import Membership, User


def end(*, membership: Membership, reason: str, actor: audit.Actor, at: datetime) -> bool:
    """End one role at the instant; whether it was still held, or still to come."""
    with transaction.atomic():
        row = Membership.objects.select_for_update(of=("self",)).select_related("user", "department")
        found = row.overlapping(at, None).filter(pk=membership.pk).first()
        if found is None:
            return False
        _end([found], at=at)
        audit.record(
            actor=actor, verb="role.ended", subject=found.user, at=at, before=_told(found), reason=reason
        )
        shut_out(user=found.user, reason=reason, actor=actor, at=at)
    return True


def end_all(*, user: User, reason: str, actor: audit.Actor, at: datetime) -> list[Membership]:
    """End whatever somebody holds or would come to hold; returns it as it was."""
    with transaction.atomic():
        # Nobody grants another meanwhile. Rows that name the person are written all the same: who decides holds the case and needs
        # a key share of them, while whoever has them leave waits for that case.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        held = list(
            Membership.objects.select_for_update(of=("self",))
            .overlapping(at, None)
            .filter(user=user)
            .select_related("department")
            .order_by("pk")
        )
        _end(held, at=at)
        for each in held:
            audit.record(
                actor=actor, verb="role.ended", subject=user, at=at, before=_told(each), reason=reason
            )
    return held


def shut_out(*, user: User, reason: str, actor: audit.Actor, at: datetime) -> None:
    """What follows when a role has ended: sessions end, and named tokens with the last role."""
    sessions.end(user=user)
    if not Membership.objects.overlapping(at, None).filter(user=user).exists():
        tokens.revoke_all(user=user, actor=actor, at=at, reason=reason)


def _end(memberships: Sequence[Membership], *, at: datetime) -> None:
    """What has begun ends now; what was still to come never comes."""
    begun = [each.pk for each in memberships if each.valid_from < at]
    Membership.objects.filter(pk__in=begun).update(valid_until=at)
    Membership.objects.filter(pk__in=[each.pk for each in memberships if each.valid_from >= at]).delete()


def _told(membership: Membership) -> dict[str, object]:
    department = membership.department
    return {
        "role": membership.role,
        "department": str(department.uuid) if department else None,
        "valid_from": membership.valid_from,
        "valid_until": membership.valid_until,
    }
