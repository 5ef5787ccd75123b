"""Chapter 3, and every later approval: people of the chain decide in turn, each seeing what it is about."""

from govcloud.demo.story.client import Json, Refused
from govcloud.demo.story.stage import (
    APPLICANT,
    AUTHORITY_APPROVER,
    SERVICE_DESK,
    TECHNICAL_REVIEWER,
    UNIT_APPROVER,
    Stage,
)

OPINIONS = {
    UNIT_APPROVER: "同意，列入本年度计划。",
    SERVICE_DESK: "材料齐全，予以受理。",
    TECHNICAL_REVIEWER: "资源池余量充足，规格合理。",
    AUTHORITY_APPROVER: "同意。",
}
COMMITTED = (UNIT_APPROVER, SERVICE_DESK, TECHNICAL_REVIEWER, AUTHORITY_APPROVER)
INSTANT = (UNIT_APPROVER, SERVICE_DESK)


def decide(stage: Stage) -> None:
    _refuse_self_approval(stage)
    stage.order = approve(stage, stage.order, by=COMMITTED)
    stage.teller.claim(
        "the last approval starts the building",
        stage.order["status"] in {"fulfilling", "fulfilled"},
        found=stage.order["status"],
    )
    stage.teller.facts["approvals"] = approvals_of(stage.order)


def _refuse_self_approval(stage: Stage) -> None:
    claim = stage.teller.claim
    case = stage.order["case"]
    try:
        stage.people[APPLICANT].post(
            f"orders/{stage.order['uuid']}/decisions",
            {"verb": "approve", "revision_hash": case["revision_hash"]},
        )
    except Refused as refusal:
        wanted = (403, "self-approval")
        claim(
            "the applicant cannot approve their own order",
            (refusal.status, refusal.code) == wanted,
            found=refusal,
        )
    else:
        claim("the applicant cannot approve their own order", holds=False)


def approve(stage: Stage, order: Json, *, by: tuple[str, ...]) -> Json:
    """Let them decide one after the other; the order as it is then."""
    for name in by:
        order = _approve(stage, order, name)
    return order


def _approve(stage: Stage, order: Json, name: str) -> Json:
    person, claim = stage.people[name], stage.teller.claim
    waiting = {case["subject"] for case in person.all("cases", todo="true")}
    claim(f"{name} has {order['number']} to do", order["uuid"] in waiting)
    seen = person.get(f"orders/{order['uuid']}/review")
    fits = all(effect["fits"] for effect in seen["effect"])
    answers = any(cloud["answers"] for cloud in seen["capacity"])
    claim(
        f"{name} sees free capacity, price and effect on quota",
        seen["quote"] and answers and fits,
        found=seen,
    )
    case = person.get(f"orders/{order['uuid']}")["case"]
    current = next(s for s in case["stages"] if s["status"] == "current")
    decided: Json = person.post(
        f"orders/{order['uuid']}/decisions",
        {
            "verb": "approve",
            "opinion": OPINIONS[name],
            "revision_hash": case["revision_hash"],
            "stage": current["code"],
        },
    )
    claim(f"{name} approves at “{current['name_en']}”", _status(decided, current["code"]) == "approved")
    return decided


def _status(order: Json, code: str) -> str:
    return next(str(s["status"]) for s in reversed(order["case"]["stages"]) if s["code"] == code)


def approvals_of(order: Json) -> list[Json]:
    """Who decided what and when, in the order in which it was."""
    return [
        {
            "stage": s["code"],
            "by": s["decision"]["decider"],
            "verb": s["decision"]["verb"],
            "opinion": s["decision"]["opinion"],
            "since": s["since"],
            "due_at": s["due_at"],
            "at": s["decision"]["at"],
        }
        for s in order["case"]["stages"]
        if s["decision"]
    ]
