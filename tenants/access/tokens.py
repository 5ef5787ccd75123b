"""API tokens: of signing in, and named ones for programs, with a scope, an end, and networks they may be used from."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken
from knox.settings import knox_settings

from govcloud.audit import services as audit
from govcloud.audit.refusals import outlive, refuse
from govcloud.errors import Conflict, Forbidden, Invalid, Invalids
from tenants.access.models import ApiToken, TokenKind, TokenScope
from tenants.models import User
from tenants.policies import limit

AT_MOST_SIGNED_IN = timedelta(hours=12)
"""A working day: a token of signing in ends then, however much it is used."""

NOTED_EVERY = timedelta(minutes=1)
"""How exact the time of last use is, so that not every request writes."""


class TooManyTokens(Conflict):
    code = "too-many-tokens"
    message = _("You have %(limit)s tokens, which is the limit. Revoke one first.")


class BadNetwork(Invalid):
    code = "bad-network"
    message = _("“%(given)s” is not a network: write it like 10.20.0.0/16 or 10.20.3.4/32.")


class TokenNameMissing(Invalid):
    code = "token-name-missing"
    message = _("Give the token a name that you will recognise it by.")


class PermissionsOfTheScope(Invalid):
    code = "permissions-of-the-scope"
    message = _("Permissions are named for the scope “chosen”, at least one, and for no other.")


class TokenEndsTooLate(Invalid):
    code = "token-ends-too-late"
    message = _("A token ends within %(days)s days from now, and not before now.")


class ReadOnlyToken(Forbidden):
    code = "read-only-token"
    message = _("This token may only read.")


class WrongNetwork(Forbidden):
    code = "wrong-network"
    message = _("This token may not be used from your address.")


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token and its text, which is nowhere kept."""

    token: ApiToken
    text: str


def sign_in(*, user: User, name: str, at: datetime) -> Issued:
    """A token that lives as long as it is used, as a session does. Raises TooManyTokens."""
    with transaction.atomic():
        issued = _issue(user, idle_limit(), ApiToken(kind=TokenKind.SIGN_IN, name=name))
        _tell(issued.token, actor=user, at=at)
    return issued


def issue(
    *,
    user: User,
    name: str,
    scope: str,
    permissions: Collection[str],
    networks: Collection[str],
    until: datetime,
    now: datetime,
    at: datetime,
) -> Issued:
    """A named token of one's own. ``now`` is what real clocks show: tokens end by it, whatever a demonstration's clock reads.

    Raises Invalids with everything that is wrong, and TooManyTokens.
    """
    errors: list[Invalid] = []
    if not name:
        errors.append(TokenNameMissing(pointers=("/name",)))
    if (scope == TokenScope.CHOSEN) != bool(permissions):
        errors.append(PermissionsOfTheScope(pointers=("/permissions",)))
    longest = knox_settings.TOKEN_TTL
    if not now < until <= now + longest:
        errors.append(TokenEndsTooLate(days=longest.days, pointers=("/expires_at",)))
    normal = []
    for position, given in enumerate(networks):
        try:
            normal.append(str(ip_network(given, strict=False)))
        except ValueError:
            errors.append(BadNetwork(given=given, pointers=(f"/networks/{position}",)))
    if errors:
        raise Invalids(list(errors))
    label = ApiToken(
        kind=TokenKind.NAMED, name=name, scope=scope, permissions=sorted(set(permissions)), networks=normal
    )
    with transaction.atomic():
        issued = _issue(user, until - now, label)
        _tell(issued.token, actor=user, at=at)
    return issued


def revoke(*, token: ApiToken, actor: audit.Actor, at: datetime, reason: str = "") -> None:
    with transaction.atomic():
        audit.record(
            actor=actor, verb="token.revoked", subject=token, at=at, reason=reason,
            before={"holder": str(token.token.user.uuid), "kind": token.kind},
        )  # fmt: skip
        token.token.delete()


def revoke_all(*, user: User, actor: audit.Actor, at: datetime, reason: str) -> None:
    """Every token of somebody who has nothing left to do here."""
    for token in ApiToken.objects.filter(token__user=user).select_related("token__user"):
        revoke(token=token, actor=actor, at=at, reason=reason)


def revoke_older(*, user: User, than: datetime, actor: audit.Actor, at: datetime, reason: str) -> None:
    """Those that somebody made before ``than``, an instant that real clocks showed."""
    older = ApiToken.objects.filter(token__user=user, token__created__lt=than)
    for token in older.select_related("token__user"):
        revoke(token=token, actor=actor, at=at, reason=reason)


def idle_limit() -> timedelta:
    return timedelta(seconds=settings.SESSION_COOKIE_AGE)


def use(token: ApiToken, *, user: User, reads: bool, address: str, now: datetime, at: datetime) -> None:
    """Before a request with the token is looked at: hold the user to its limits, and note that it was used.

    ``now`` is what real clocks show, as for ``issue``. Raises WrongNetwork, which is audited: the token may have been
    stolen; and ReadOnlyToken.
    """
    if token.networks and not _within(address, token.networks):
        refuse(actor=user, verb="token.used", subject=token, at=at, reason=WrongNetwork.code)
        raise WrongNetwork
    if token.scope == TokenScope.READ and not reads:
        raise ReadOnlyToken
    if token.scope == TokenScope.CHOSEN:
        limit(user, to=token.permissions)
    if token.last_used_at is None or now - token.last_used_at > NOTED_EVERY:
        outlive(lambda: _note(token, address=address, now=now))


def _note(token: ApiToken, *, address: str, now: datetime) -> None:
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_from=address or None)
    if token.kind == TokenKind.SIGN_IN:
        ends = min(now + idle_limit(), token.token.created + AT_MOST_SIGNED_IN)
        AuthToken.objects.filter(pk=token.pk, expiry__lt=ends).update(expiry=ends)


def _within(address: str, networks: Collection[str]) -> bool:
    try:
        given = ip_address(address)
    except ValueError:
        return False
    return any(given in ip_network(network) for network in networks)


def _issue(user: User, lifetime: timedelta, label: ApiToken) -> Issued:
    most = knox_settings.TOKEN_LIMIT_PER_USER
    User.objects.select_for_update().get(pk=user.pk)  # so that two at once are counted one after the other
    label.token, text = AuthToken.objects.create(user=user, expiry=lifetime)
    AuthToken.objects.filter(user=user, expiry__lte=label.token.created).delete()  # they have ended
    if AuthToken.objects.filter(user=user).count() > most:
        label.token.delete()
        raise TooManyTokens(limit=most)
    label.save(force_insert=True)
    return Issued(label, text)


def _tell(token: ApiToken, *, actor: User, at: datetime) -> None:
    after = {
        "kind": token.kind, "scope": token.scope, "permissions": token.permissions, "networks": token.networks,
        "expires_at": token.token.expiry,
    }  # fmt: skip
    audit.record(actor=actor, verb="token.issued", subject=token, at=at, after=after)
