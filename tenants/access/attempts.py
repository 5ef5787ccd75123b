"""How often signing in is tried, at every entrance alike and whether or not there is an account of the name.

Counted by the minute in the database, which all web processes share. The lock of an account is another rule (``tenants.lockout``):
it knows accounts, and this one knows addresses, from which many names could be tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import Any
from unicodedata import normalize

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils.crypto import salted_hmac

from tenants.access.models import AttemptCount

PER_ADDRESS = 60
"""A minute, whatever the names: an office behind one address still gets in, since what succeeds is given back."""

PER_NAME = 10
"""A minute, for one name from one address."""

WINDOW = timedelta(minutes=1)
TOO_OFTEN = "too-many-requests"
"""The reason of attempts that were not looked at, for the trail."""

COUNT = """
INSERT INTO access_attemptcount AS counted (who, attempts, until) VALUES (%(who)s, 1, %(until)s)
ON CONFLICT (who) DO UPDATE SET
    attempts = CASE WHEN counted.until <= %(now)s THEN 1 ELSE counted.attempts + 1 END,
    until = CASE WHEN counted.until <= %(now)s THEN EXCLUDED.until ELSE counted.until END
RETURNING attempts, until
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """``seconds`` until another attempt can be made if this is one too many, else 0; ``noticed``: the address's first of those."""

    seconds: int = 0
    noticed: bool = False


def count(*, address: str, name: str | None = None, now: datetime) -> Counted:
    """Count one more attempt, before it is looked at; ``name`` as it was typed, None where there is none.

    Called outside a transaction: what is counted must stay when what is tried is refused.
    """
    made, until = _counted(_of_address(address), now=now)
    if made > PER_ADDRESS:
        return Counted(_seconds(until, now), noticed=made == PER_ADDRESS + 1)
    if name is not None:
        made, until = _counted(_of_name(name, address), now=now)
        if made > PER_NAME:
            return Counted(_seconds(until, now))
    return Counted()


def give_back(*, address: str, now: datetime) -> None:
    """What was right is no guess: it does not count against others at the same address."""
    rows = AttemptCount.objects.filter(who=_of_address(address), until__gt=now, attempts__gt=0)
    rows.update(attempts=F("attempts") - 1)


def forget(*, now: datetime) -> int:
    """Let go of what is over; returns how many rows."""
    return AttemptCount.objects.filter(until__lte=now).delete()[0]


def address_of(told: Mapping[str, Any]) -> str:
    """From where a request comes (``META``): what the trusted proxy says, where there is one, and never what callers make up.

    Empty where the server listens on a socket of the machine and no proxy is trusted.
    """
    proxies: int = settings.REST_FRAMEWORK["NUM_PROXIES"]  # type: ignore[assignment]
    forwarded: str | None = told.get("HTTP_X_FORWARDED_FOR")
    if not proxies or forwarded is None:
        return told.get("REMOTE_ADDR") or ""
    hops = forwarded.split(",")
    return hops[-min(proxies, len(hops))].strip()


def _counted(who: str, *, now: datetime) -> tuple[int, datetime]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"who": who, "now": now, "until": now + WINDOW})
        made, until = cursor.fetchone()
    return made, until


def _seconds(until: datetime, now: datetime) -> int:
    return max(1, ceil((until - now).total_seconds()))


def _of_address(address: str) -> str:
    """Of IPv6 the network of the line: whoever has one has all its addresses."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return _digest(f"address|{address}")
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        address = str(mapped) if mapped else str(ip_network((int(parsed), 64), strict=False))
    return _digest(f"address|{address}")


def _of_name(name: str, address: str) -> str:
    """As the name is read later, without white space around it; case is folded so that no spelling is a new start."""
    return _digest(f"name|{normalize('NFKC', name).strip().casefold()}|{_of_address(address)}")


def _digest(text: str) -> str:
    """Under our key, since people type passwords where a name is asked for."""
    return salted_hmac("sign-in attempts", text.encode(errors="replace"), algorithm="sha256").hexdigest()
