"""Who somebody is at sign-in (``tenants.access``): what changes of that by others' hands is told to those concerned."""

from datetime import datetime

from django.db import transaction

from govcloud.audit import services as audit
from govcloud.audit.refusals import kept
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.services import Posting
from tenants.access import accounts, confirmations, second_factor
from tenants.access.models import Enrolment
from tenants.models import Role, User


def enrol(*, user: User, secret: str, code: str, at: datetime) -> list[str]:
    """Set a second factor up, and tell security administrators if it waits for one of them.

    Returns the recovery codes. Raises what ``second_factor.enrol`` raises.
    """
    with kept(), transaction.atomic():
        codes = second_factor.enrol(user=user, secret=secret, code=code, at=at)
        tell_waiting(at=at)
    return codes


def tell_waiting(*, at: datetime) -> int:
    """Tell security administrators of second factors that wait and were not told of; returns of how many.

    One that is set up before there is a role that obliges to it waits from when the role is held. The marks are written
    with the notices, so that of two at once one tells.
    """
    with transaction.atomic():
        waiting = confirmations.waiting(at=at).filter(told_at=None)
        rows = waiting.select_for_update(of=("self",), skip_locked=True).select_related("user")
        enrolments = list(rows.order_by("pk"))
        notifications.post_many(postings=[_posting(each.user) for each in enrolments], at=at)
        Enrolment.objects.filter(pk__in=[each.pk for each in enrolments]).update(told_at=at)
    return len(enrolments)


def confirm(*, user: User, code: str, actor: User, at: datetime) -> None:
    """Confirm a second factor, and tell whose it is. Raises what ``confirmations.confirm`` raises."""
    with kept(), transaction.atomic():
        confirmations.confirm(user=user, code=code, actor=actor, at=at)
        _tell(Kind.ACCOUNT_FACTOR_CONFIRMED, user, actor, at=at)


def confirm_on_the_machine(*, user: User, code: str, actor: audit.Actor, at: datetime) -> None:
    """The same by whoever runs the machines. Raises what ``confirmations.confirm_on_the_machine`` raises."""
    with kept(), transaction.atomic():
        confirmations.confirm_on_the_machine(user=user, code=code, actor=actor, at=at)
        _tell(Kind.ACCOUNT_FACTOR_CONFIRMED, user, actor, at=at)


def reset_password(*, user: User, actor: User, at: datetime) -> accounts.Opened:
    """Set a first password anew, and tell whose it is. Raises what ``accounts.reset_password`` raises."""
    with kept(), transaction.atomic():
        opened = accounts.reset_password(user=user, actor=actor, at=at)
        _tell(Kind.ACCOUNT_PASSWORD_RESET, user, actor, at=at)
    return opened


def reset_second_factor(*, user: User, actor: User, at: datetime, reason: str) -> None:
    """Take a lost second factor away, and tell whose it was. Raises what ``accounts.reset_second_factor`` raises."""
    with kept(), transaction.atomic():
        accounts.reset_second_factor(user=user, actor=actor, at=at, reason=reason)
        _tell(Kind.ACCOUNT_FACTOR_RESET, user, actor, at=at, reason=reason)


def _posting(user: User) -> Posting:
    return Posting(
        kind=Kind.ACCOUNT_FACTOR_WAITING, subject=user, facts={"person": str(user)},
        roles=[Role.SECURITY_ADMIN], without=[user.pk],
    )  # fmt: skip


def _tell(kind: Kind, user: User, actor: audit.Actor, *, at: datetime, reason: str = "") -> None:
    """Nobody is told what they did themselves."""
    if actor == user:
        return
    action = "by-person" if isinstance(actor, User) else "on-the-machine"
    facts = {"actor": actor.audit_name, "action": action, "done_at": at, "reason": reason}
    notifications.post(kind=kind, subject=user, facts=facts, people=[user.pk], at=at)
