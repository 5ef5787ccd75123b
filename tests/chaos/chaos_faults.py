"""Which faults the sandbox is told to inject: a share of all calls, drawn with a seed."""

from collections.abc import Iterator
from typing import Any

LIST = (
    r"/(servers/detail|volumes/detail|attachments|ports|networks|subnets|security-groups|os-keypairs)(\?|$)"
)
Rule = dict[str, Any]
Table = tuple[tuple[int, Rule], ...]


def rules(*, share: float, seed: int, api_timeout: float, late: float) -> list[Rule]:
    """Rules for ``POST /sandbox/faults`` in their order; the first that applies to a call is taken.

    Faults of special calls come before and on top of those of every call, which make up the share by themselves.
    """
    table: list[Rule] = []
    for weight, rule in _special():
        table.append({**rule, "probability": share * weight / 20})
    for method, general in (
        ("GET", _reading(api_timeout)),
        *((each, _changing(api_timeout, late)) for each in ("POST", "PUT", "DELETE")),
    ):
        table += [{**rule, "method": method} for rule in _drawn(general, share)]
    return [{**rule, "seed": seed + number} for number, rule in enumerate(table)]


def _drawn(table: Table, share: float) -> Iterator[Rule]:
    """Each with the probability that makes its part of the share, given that none before it was taken."""
    total, before = sum(weight for weight, _ in table), 0.0
    for weight, rule in table:
        part = share * weight / total
        yield {**rule, "probability": part / (1 - before)}
        before += part


def _reading(api_timeout: float) -> Table:
    return (
        (5, {"action": "status", "status": 503}),
        (2, {"action": "status", "status": 500}),
        (4, {"action": "reset"}),
        (3, {"action": "truncate"}),
        (1, {"action": "timeout", "seconds": api_timeout + 1}),
        (2, {"action": "status", "status": 429, "headers": {"Retry-After": "1"}}),
        (1, {"action": "status", "status": 401}),
        (2, {"action": "latency", "seconds": 1}),
    )


def _changing(api_timeout: float, late: float) -> Table:
    silence = api_timeout + 1
    return (
        (4, {"action": "status", "status": 503, "when": "before"}),
        (4, {"action": "status", "status": 500, "when": "after"}),
        (3, {"action": "status", "status": 504, "when": "late", "seconds": late}),
        (3, {"action": "reset", "when": "before"}),
        (4, {"action": "reset", "when": "after"}),
        (2, {"action": "reset", "when": "late", "seconds": late / 2}),
        (3, {"action": "truncate"}),
        (2, {"action": "timeout", "when": "after", "seconds": silence}),
        (1, {"action": "timeout", "when": "before", "seconds": silence}),
        (1, {"action": "timeout", "when": "late", "seconds": late}),
        (2, {"action": "status", "status": 429, "headers": {"Retry-After": "1"}}),
        (1, {"action": "status", "status": 401}),
        (1, {"action": "status", "status": 409, "message": "Somebody else is at it."}),
        (2, {"action": "latency", "seconds": 1}),
    )


def _special() -> Table:
    over_quota = {
        "NeutronError": {
            "type": "OverQuota",
            "message": "Quota exceeded for resources: ['port'].",
            "detail": "",
        }
    }
    return (
        (4, {"action": "lag", "method": "GET", "path": LIST, "seconds": 3}),
        (2, {"action": "build_error", "method": "POST", "service": "compute", "path": "/servers$"}),
        (2, {"action": "build_error", "method": "POST", "service": "volume", "path": "/volumes$"}),
        (1, {"action": "status", "status": 403, "method": "POST", "service": "compute", "path": "/servers$",
             "message": "Quota exceeded for cores: Requested 2, but already used 8 of 8 cores"}),
        (1, {"action": "status", "status": 413, "method": "POST", "service": "volume", "path": "/volumes$",
             "message": "VolumeSizeExceedsAvailableQuota", "headers": {"Retry-After": "0"}}),
        (1, {"action": "status", "status": 409, "method": "POST", "service": "network", "path": "/ports$", "body": over_quota}),
    )  # fmt: skip


def named(rule: Rule) -> str:
    """What a rule does, for the table of what was injected."""
    action = f"{rule['status']}" if rule["action"] == "status" else str(rule["action"]).replace("_", " ")
    when = {"after": " after the effect", "late": ", effect later", "before": ""}[rule.get("when", "before")]
    return f"{action}{when}"
