"""What the chapters share: who is on stage, and what has come of it so far."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from govcloud.demo.story.client import Api, Json, sign_in
from govcloud.demo.story.teller import ClaimFailed, Teller

T = TypeVar("T")
ZONE = ZoneInfo("Asia/Shanghai")
POLL = 0.5  # seconds between two looks

APPLICANT = "applicant"
UNIT_APPROVER = "unit-approver"
SERVICE_DESK = "service-desk"
TECHNICAL_REVIEWER = "technical-reviewer"
AUTHORITY_APPROVER = "authority-approver"
CLOUD_ADMIN = "cloud-admin"
FINANCE = "finance"
AUDIT_ADMIN = "audit-admin"
CAST = (
    APPLICANT,
    UNIT_APPROVER,
    SERVICE_DESK,
    TECHNICAL_REVIEWER,
    AUTHORITY_APPROVER,
    CLOUD_ADMIN,
    FINANCE,
    AUDIT_ADMIN,
)
"""User names of the demo data, each with the role it is named after."""


@dataclass(slots=True)
class Stage:
    """``patience`` is how many seconds the cloud may take for one order."""

    teller: Teller
    patience: float
    people: dict[str, Api] = field(default_factory=dict)
    system: Json = field(default_factory=dict)
    order: Json = field(default_factory=dict)
    change: Json = field(default_factory=dict)
    release: Json = field(default_factory=dict)
    quota_before: dict[str, Json] = field(default_factory=dict)  # accounts of the department, by dimension
    statement: Json = field(default_factory=dict)

    def enter(self, url: str, password: str) -> None:
        """Everybody signs in and gets a token of their own."""
        for name in CAST:
            self.people[name] = sign_in(url, username=name, password=password)

    def leave(self) -> None:
        """The tokens are revoked: the next story brings its own."""
        for api in self.people.values():
            api.delete("tokens/current")

    def accounts(self) -> dict[str, Json]:
        """The quota accounts of the system's department, by dimension."""
        department = self.system["department"]["uuid"]
        rows = self.people[APPLICANT].all("quota-accounts", department=department)
        return {row["dimension"]: row for row in rows}

    def now(self) -> datetime:
        """What the installation's clock reads, by the centre's wall clock."""
        return datetime.fromisoformat(self.people[CLOUD_ADMIN].get("demo-clock")["now"]).astimezone(ZONE)

    def let_pass(self, span: timedelta) -> None:
        """Move the clock on, so that what runs costs something; not across the end of a month."""
        now = self.now()
        if (now + 2 * span).month == now.month:
            self.people[CLOUD_ADMIN].put("demo-clock", {"to": (now + span).isoformat()})
            self.teller.tell(f"{span.total_seconds() / 3600:.0f} hours pass")

    def wait(self, what: str, look: Callable[[], T | None], *, seconds: float | None = None) -> T:
        """Look until there is something to see. Raises ClaimFailed when patience ends."""
        for _pause in self.looks(what, seconds=seconds):
            found = look()
            if found is not None:
                return found
        raise ClaimFailed(what)

    def looks(self, what: str, *, seconds: float | None = None) -> Iterator[None]:
        """One turn per look, with a pause between two. Raises ClaimFailed when patience ends."""
        limit = self.patience if seconds is None else seconds
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            yield
            time.sleep(POLL)
        raise ClaimFailed(f"{what}: not within {limit:.0f} s")
