"""From ansible-runner's events to ours: few kinds, few fields, no module results beyond a failure's own words."""

from collections.abc import Iterable, Mapping
from typing import Any

from govcloud.gateways.ansible.results import Failure, Recap, RunEvent

_KINDS = {
    "playbook_on_play_start": "play",
    "playbook_on_task_start": "task",
    "playbook_on_handler_task_start": "task",
    "runner_on_ok": "ok",
    "runner_on_skipped": "skipped",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_item_on_failed": "item_failed",
}
# Ansible's names in the playbook_on_stats event, where they differ from the recap's.
_COUNTS = {"failures": "failed", "dark": "unreachable"}
_LONGEST_MESSAGE = 2000


def translate(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of a `RunEvent` for an event of ansible-runner; None for one that nobody needs."""
    kind = _KINDS.get(event.get("event", ""))
    if kind is None:
        return None
    data = event.get("event_data") or {}
    result = data.get("res") or {}
    ignored = bool(data.get("ignore_errors"))
    failed = kind in ("failed", "item_failed", "unreachable")
    return {
        "kind": "ignored" if failed and ignored else kind,
        "host": data.get("host") or "",
        "task": data.get("task") or data.get("name") or "",
        "changed": bool(isinstance(result, Mapping) and result.get("changed")),
        "message": failure_message(result) if failed else "",
        "at": event.get("created") or "",
    }


def statistics(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Recaps by host and the facts set with `set_stats`, of the last event of a run; None for any other event."""
    if event.get("event") != "playbook_on_stats":
        return None
    data = event.get("event_data") or {}
    recaps: dict[str, dict[str, int]] = {host: {} for host in data.get("processed") or {}}
    for name in ("ok", "changed", "dark", "failures", "skipped", "rescued", "ignored"):
        for host, count in (data.get(name) or {}).items():
            recaps.setdefault(host, {})[_COUNTS.get(name, name)] = count
    return {"recaps": recaps, "facts": data.get("artifact_data") or {}}


def failure_message(result: Any) -> str:
    """What a failed module said: its message, and what the program it called wrote to its error output."""
    if not isinstance(result, Mapping):
        return str(result)[:_LONGEST_MESSAGE]
    words = [str(result[name])[:_LONGEST_MESSAGE] for name in ("msg", "censored") if result.get(name)]
    # The end of an error output says what was wrong; its beginning may be a module's whole source.
    errors = str(result.get("stderr") or result.get("module_stderr") or "").strip()
    words.append(errors[-_LONGEST_MESSAGE:])
    return "\n".join(filter(None, words)) or "the task failed and gave no message"


def failures_in(events: Iterable[RunEvent]) -> tuple[Failure, ...]:
    """The failures among `events`; a failed item speaks for its loop, whose own words are only that an item failed."""
    found = [event for event in events if event.kind in ("failed", "item_failed", "unreachable")]
    loops = {(event.host, event.task) for event in found if event.kind == "item_failed"}
    return tuple(
        Failure(event.host, event.task, event.message)
        for event in found
        if event.kind != "failed" or (event.host, event.task) not in loops
    )


def recaps_from(counts: Mapping[str, Mapping[str, int]]) -> dict[str, Recap]:
    """`Recap`s from the counts of `statistics`."""
    return {host: Recap(**values) for host, values in counts.items()}
