"""Chapter 7: the order's trail is read back from draft to statement, and the chain it is sealed in is verified."""

from govcloud.demo.story.client import Json
from govcloud.demo.story.stage import APPLICANT, AUDIT_ADMIN, Stage

MILESTONES = (
    "order.drafted",
    "case.opened",
    "order.submitted",
    "order.fulfilling",
    "resource.built",
    "resource.in_service",
    "order.fulfilled",
    "statement.billed",
)
SEALED_WITHIN = 90.0  # seconds; seals are made every few


def audit(stage: Stage) -> None:
    claim = stage.teller.claim
    trail = list(stage.people[APPLICANT].all(f"orders/{stage.order['uuid']}/trail"))
    verbs = [event["verb"] for event in trail]
    missing = [verb for verb in MILESTONES if verb not in verbs]
    claim(f"the trail has {len(trail)} events, from the draft to the statement", not missing, found=missing)
    first = [verbs.index(verb) for verb in MILESTONES if verb in verbs]
    claim("told in the order in which it happened", first == sorted(first), found=verbs)
    refused = [event["reason"] for event in trail if event["outcome"] == "refused"]
    claim("the attempt to approve one's own order is in it", "self-approval" in refused, found=refused)
    verified = stage.wait("the trail is sealed", lambda: _sealed(stage), seconds=SEALED_WITHIN)
    claim(
        f"{verified['events']} events in {verified['seals']} seals verify",
        verified["intact"],
        found=verified["breach"],
    )
    stage.teller.facts["audit"] = {"trail": len(trail), "verbs": sorted(set(verbs)), "verification": verified}


def _sealed(stage: Stage) -> Json | None:
    """The verification once everything that was waiting when we came is sealed."""
    found: Json = stage.people[AUDIT_ADMIN].get("audit-verification")
    return found if not found["intact"] or found["waiting"] == 0 else None
