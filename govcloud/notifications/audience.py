"""Whom a notice is for, looked up when it is dispatched: people by name, and whoever holds a role then."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from govcloud.notifications.models import Notice
from tenants.models import Membership, User


def of(notices: Sequence[Notice], *, at: datetime) -> Mapping[int, list[User]]:
    """By the notice's key, everybody once; two queries, however many notices.

    A unit's role counts in the notice's department and above it, a role of the centre for every department.
    """
    named = {key for notice in notices for key in notice.people}
    users = {user.pk: user for user in User.objects.filter(pk__in=named, is_active=True)}
    memberships = (
        Membership.objects.valid(at=at)
        .filter(role__in={role for notice in notices for role in notice.roles}, user__is_active=True)
        .select_related("user")
        .order_by("user", "pk")
    )
    held: dict[str, list[Membership]] = {}
    for membership in memberships:
        held.setdefault(membership.role, []).append(membership)
    return {notice.pk: list(_of(notice, users, held).values()) for notice in notices}


def _of(
    notice: Notice, users: Mapping[int, User], held: Mapping[str, Sequence[Membership]]
) -> dict[int, User]:
    found = {key: users[key] for key in notice.people if key in users}
    found |= {user.pk: user for user in _holders(notice, held) if user.pk not in notice.without}
    return found


def _holders(notice: Notice, held: Mapping[str, Sequence[Membership]]) -> Iterator[User]:
    above = set(notice.department.ancestor_ids) if notice.department else set()
    for role in notice.roles:
        for membership in held.get(role, ()):
            if membership.department_id is None or membership.department_id in above:
                yield membership.user
