"""What goes wrong between us and the cloud: for each request one draw from one table.

The bounds are what the engine is told of the cloud (``STEP_SETTLE_SECONDS``): a request lands, and shows in the lists,
within a minute of being sent, or never; and the same list does not leave out what is there twice running.
"""

from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.chaos.weather import Weather

LANDING_SECONDS = 35.0
"""The longest that a request may be on its way to its effect."""
LAG_SECONDS = 20.0
"""The longest that a list may miss what is there."""

Answer = Literal["true", "status", "timeout", "reset", "refused", "cut", "lagging", "partial"]
Effect = Literal["now", "never", "late"]


@dataclass(frozen=True, slots=True)
class Fault:
    """``answer`` is what the caller sees, ``effect`` what the request does, ``outcome`` how that ends in the cloud.

    ``held_up``: for so many seconds the caller is, between the effect and the answer.
    """

    name: str
    answer: Answer = "true"
    effect: Effect = "now"
    status: int = 0
    message: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    outcome: Literal["", "build_error", "stuck"] = ""
    held_up: float = 0.0


NONE = Fault("none")

CHANGING = (
    (6, Fault("5xx before the effect", "status", "never", 503)),
    (6, Fault("5xx after the effect", "status", "now", 500)),
    (3, Fault("gateway time-out, effect later", "status", "late", 504)),
    (5, Fault("time-out, effect earlier", "timeout", "now")),
    (6, Fault("time-out, effect later", "timeout", "late")),
    (4, Fault("time-out, no effect", "timeout", "never")),
    (3, Fault("reset before the effect", "reset", "never")),
    (4, Fault("reset after the effect", "reset", "now")),
    (3, Fault("reset, effect later", "reset", "late")),
    (2, Fault("refused connection", "refused", "never")),
    (4, Fault("cut answer", "cut", "now")),
    (3, Fault("conflict", "status", "never", 409, "Somebody else is at it.")),
    (2, Fault("token refused", "status", "never", 401)),
    (2, Fault("rate limit", "status", "never", 429, headers=(("Retry-After", "7"),))),
)
OVER_QUOTA = {
    "compute": Fault("over quota", "status", "never", 403, "Quota exceeded for cores: Requested 4, but already used 8 of 8 cores"),
    "volume": Fault("over quota", "status", "never", 413, "VolumeSizeExceedsAvailableQuota", (("Retry-After", "0"),)),
}  # fmt: skip
BUILDS = ((3, Fault("ends in an error", outcome="build_error")), (1, Fault("never ends", outcome="stuck")))
BRITTLE_BUILDS = ((40, BUILDS[0][1]), *BUILDS[1:])
LATE_FAILURES = (
    (100, Fault("ends in an error, heard of late", outcome="build_error", held_up=400.0)), *BUILDS[1:],
)  # fmt: skip
REMOVALS = ((1, Fault("never ends", outcome="stuck")),)
READING = (
    (5, Fault("5xx", "status", "never", 503)),
    (3, Fault("time-out", "timeout", "never")),
    (3, Fault("reset", "reset", "never")),
    (1, Fault("refused connection", "refused", "never")),
    (3, Fault("cut answer", "cut", "now")),
    (2, Fault("token refused", "status", "never", 401)),
    (1, Fault("rate limit", "status", "never", 429, headers=(("Retry-After", "3"),))),
)
BUILT = ("/servers", "/volumes", "/backups", "/os-volume_attachments", "/action", "/restore")
LISTS = ((5, Fault("list lags", "lagging")), (4, Fault("list misses rows", "partial")))
LISTED = (
    "/detail", "/attachments", "/ports", "/networks", "/subnets", "/security-groups", "/routers", "/floatingips",
)  # fmt: skip
IDENTITY = (
    (3, Fault("identity down", "status", "never", 503)),
    (1, Fault("identity silent", "timeout", "never")),
    (2, Fault("identity refuses connections", "refused", "never")),
)


class Faults:
    """Draws a fault for a request with the probability ``share``: none before it is set, nor once they are ``over``."""

    def __init__(self, random: Random, weather: Weather) -> None:
        self._random = random
        self.share = 0.0
        self._builds = BUILDS
        if weather.late_failures:
            self._builds = LATE_FAILURES
        elif weather.brittle:
            self._builds = BRITTLE_BUILDS
        self.drawn: dict[str, int] = {}

    def over(self) -> None:
        self.share = 0.0

    def draw(self, service: str, method: str, path: str) -> Fault:
        if self._random.random() >= self.share:
            return NONE
        table = self._table(service, method, path)
        fault = self._random.choices([each for _, each in table], [weight for weight, _ in table])[0]
        self.drawn[fault.name] = self.drawn.get(fault.name, 0) + 1
        return fault

    def landing(self) -> float:
        """In how many seconds a late request lands: now and then at once, now and then as late as can be."""
        return self._random.choice((0.5, self._random.uniform(0, LANDING_SECONDS), LANDING_SECONDS))

    def _table(self, service: str, method: str, path: str) -> tuple[tuple[int, Fault], ...]:
        if service == "identity" and path.endswith("/auth/tokens"):
            return IDENTITY
        if method in {"GET", "HEAD"}:
            return READING + LISTS * path.endswith(LISTED)
        table = CHANGING
        if method == "POST" and service in OVER_QUOTA:
            table += ((2, OVER_QUOTA[service]),)
        if method == "POST" and path.endswith(BUILT):
            table += self._builds
        if method == "DELETE" and service in {"compute", "volume"}:
            table += REMOVALS
        return table
