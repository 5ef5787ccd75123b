"""After too many failures in a row an account waits, whichever entrance they were made at.

The failures are counted in the audit trail, so that the lock holds for every process and outlives a restart.
"""

from datetime import datetime, timedelta

from govcloud.audit.models import Event, Outcome
from tenants.access.models import TokenKind
from tenants.models import User

ATTEMPTS = (
    "session.opened",
    "token.issued",
    "token.refused",
    "user.password_changed",
    "second_factor.recovery_codes_renewed",
    "second_factor.removed",
    "second_factor.confirmed",
)
"""What tells of an attempt to prove who one is, with the account as the actor: signing in, or changing what one does it with;
and of one to say for somebody else who they are, which could be guessed as well. Making a named token proves nothing."""

LOCKED = "account-locked"
"""The reason of attempts that were not looked at; they do not prolong the lock, and the first of a lock is told for all of them."""

CODE_NEEDED = "code-needed"
"""The reason of attempts with the right password and no code yet: on record, as somebody knows it, but no failure."""

FAILURES_ALLOWED = 5
LOCKED_FOR = timedelta(minutes=30)
"""Within how long so many failures lock, and for how long. GB/T 22239 level 3 asks for a limit; five failures and half an hour are what the field uses."""


def locked_until(user: User, *, at: datetime) -> datetime | None:
    """When the account may be tried again, or None when it may be now.

    It is locked for half an hour from the fifth of five attempts that all failed within half an hour; a success forgets what was before.
    """
    failures = _failures(user, at=at)
    return max(failures) + LOCKED_FOR if failures else None


def first_since(user: User, *, at: datetime) -> bool:
    """Whether no attempt on the account has been told of since it was locked: somebody who goes on trying fills no trail."""
    failures = _failures(user, at=at)
    told = Event.objects.filter(actor=user.audit_ref, verb__in=ATTEMPTS, reason=LOCKED)
    return not failures or not told.filter(at__gte=max(failures)).exists()


def _failures(user: User, *, at: datetime) -> list[datetime]:
    """When the attempts were made that lock the account; none if it is not locked."""
    attempts = Event.objects.filter(actor=user.audit_ref, verb__in=ATTEMPTS, at__gt=at - 2 * LOCKED_FOR)
    attempts = attempts.exclude(reason__in=[LOCKED, CODE_NEEDED]).exclude(
        verb="token.issued", after__kind=TokenKind.NAMED
    )
    last = list(attempts.order_by("-id").values_list("outcome", "at")[:FAILURES_ALLOWED])
    if [outcome for outcome, _at in last] != [Outcome.REFUSED] * FAILURES_ALLOWED:
        return []
    failures = [failed_at for _outcome, failed_at in last]
    locks = min(failures) > max(failures) - LOCKED_FOR and max(failures) > at - LOCKED_FOR
    return failures if locks else []
