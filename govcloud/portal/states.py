"""How the states of orders, stages, steps, operations and resources look: an icon and a tone for each word."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """``tone`` is a class of portal.css; ``icon`` a symbol of the sprite."""

    icon: str
    tone: str


QUIET = Look("circle-dashed", "quiet")
DONE = Look("circle-check", "good")
MOVING = Look("loader", "busy")

LOOKS = {
    "draft": Look("pencil", "quiet"),
    "in_approval": Look("hourglass", "busy"),
    "returned": Look("arrow-back-up", "warn"),
    "rejected": Look("circle-x", "bad"),
    "withdrawn": Look("ban", "quiet"),
    "cancelled": Look("ban", "quiet"),
    "fulfilling": Look("tools", "busy"),
    "fulfilled": DONE,
    "approved": DONE,
    "current": Look("hourglass", "busy"),
    "waiting": QUIET,
    "running": MOVING,
    "undoing": MOVING,
    "undone": Look("ban", "quiet"),
    "due": MOVING,
    "unknown": Look("search", "busy"),
    "settling": MOVING,
    "replacing": Look("refresh", "warn"),
    "removing": MOVING,
    "done": DONE,
    "skipped": Look("check", "quiet"),
    "gone": Look("trash", "quiet"),
    "parked": Look("player-pause", "warn"),
    "active": DONE,
    "changing": MOVING,
    "suspended": Look("player-pause", "warn"),
    "releasing": MOVING,
    "released": Look("trash", "quiet"),
    "open": Look("alert-triangle", "warn"),
    "suspected": Look("eye", "quiet"),
    "applying": MOVING,
    "resolved": DONE,
    "dismissed": Look("x", "quiet"),
    "roomy": DONE,
    "near": Look("alert-triangle", "warn"),
    "full": Look("ban", "bad"),
    "beyond": Look("circle-x", "bad"),
    "held": Look("lock", "warn"),
    "unlimited": QUIET,
    "ungranted": Look("lock", "quiet"),
    "yellow": Look("alert-triangle", "warn"),
    "red": Look("alert-triangle", "bad"),
    "rest": Look("calendar-event", "good"),
    "work": Look("tools", "busy"),
    "refused": Look("circle-x", "bad"),
    "connected": DONE,
    "requested": Look("hourglass", "busy"),
    "not_connected": QUIET,
    "pending": Look("hourglass", "busy"),
    "confirmed": DONE,
    "ended": Look("ban", "quiet"),
    "lapsed": Look("x", "quiet"),
    "closed": Look("lock", "quiet"),
    "disabled": Look("ban", "warn"),
    "surveying": MOVING,
    "surveyed": DONE,
    "taking": MOVING,
    "taken": DONE,
    "leaving": MOVING,
    "enabled": DONE,
    "retired": Look("trash", "quiet"),
    "ok": DONE,
    "misconfigured": Look("tools", "warn"),
    "unreachable": Look("circle-x", "bad"),
    "unauthorized": Look("lock", "bad"),
    "failing": Look("alert-triangle", "bad"),
    "delivered": DONE,
    "failed": Look("circle-x", "bad"),
    "given_up": Look("circle-x", "bad"),
}


def look_of(value: str) -> Look:
    return LOOKS.get(value, QUIET)
