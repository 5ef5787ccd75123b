"""Faults on demand: rules that tests put in, matched against each request before it is carried out."""

import random
import re
import threading
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from govcloud.sandbox.errors import bad_request

Action = Literal["status", "reset", "timeout", "truncate", "latency", "build_error", "stuck", "lag"]
When = Literal["before", "after", "late"]


@dataclass
class Rule:
    """One fault.

    `when` says how the fault stands to the effect of the request: `before` (no effect), `after` (the effect, then the
    fault) or `late` (the fault now, the effect `seconds` later). `seconds` is also the length of a latency, of a
    time-out's silence and of a list's lag. `times` counts down; without it the rule stays. `probability` draws from a
    generator seeded by `seed`, so a run can be repeated.
    """

    action: Action
    service: str | None = None
    method: str | None = None
    path: str | None = None
    project: str | None = None
    when: When = "before"
    status: int = 503
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""
    times: int | None = None
    probability: float = 1.0
    seed: int | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    hits: int = 0

    def __post_init__(self) -> None:
        if self.action not in get_args(Action) or self.when not in get_args(When):
            raise bad_request(f"unknown action or time: {self.action}, {self.when}")
        self._pattern = re.compile(self.path) if self.path else None
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable faults, not secrets

    def applies(self, service: str, method: str, path: str, project: str | None) -> bool:
        """Whether this request is one the rule is about; draws the dice only when it is."""
        wanted = (
            (self.service is None or self.service == service)
            and (self.method is None or self.method.upper() == method)
            and (self._pattern is None or self._pattern.search(path) is not None)
            and (self.project is None or self.project == project)
            and self.times != 0
        )
        return wanted and (self.probability >= 1.0 or self._random.random() < self.probability)


class Faults:
    """The rules in force, in the order they were given; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(self, document: dict[str, Any]) -> Rule:
        """Put a rule in force; the document's keys are `Rule`'s."""
        try:
            rule = Rule(**document)
        except (TypeError, re.error) as error:
            raise bad_request(f"not a fault rule: {error}") from error
        with self._lock:
            self._rules.append(rule)
        return rule

    def take(self, service: str, method: str, path: str, project: str | None) -> Rule | None:
        """The first rule that applies to a request, counted as used."""
        with self._lock:
            for rule in self._rules:
                if rule.applies(service, method, path, project):
                    rule.hits += 1
                    if rule.times is not None:
                        rule.times -= 1
                    return rule
        return None

    def clear(self, rule_id: str | None = None) -> None:
        """Lift one rule, or all."""
        with self._lock:
            self._rules = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]

    def listed(self) -> list[dict[str, Any]]:
        """Every rule with its hits."""
        with self._lock:
            return [asdict(rule) for rule in self._rules]
