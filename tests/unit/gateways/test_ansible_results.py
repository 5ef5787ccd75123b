from typing import Any

import pytest

from govcloud.gateways.ansible.events import failure_message, failures_in, recaps_from, statistics, translate
from govcloud.gateways.ansible.results import Failure, Recap, RunEvent, RunResult, RunStatus, status_of

FAILED = {"a": Recap(failed=1)}
UNREACHABLE = {"a": Recap(unreachable=1)}


@pytest.mark.parametrize(
    ("rc", "stopped", "recaps", "status"),
    [
        (0, None, {}, RunStatus.SUCCESSFUL),
        (2, None, FAILED, RunStatus.FAILED),
        (4, None, UNREACHABLE, RunStatus.UNREACHABLE),
        (2, None, FAILED | {"b": Recap(unreachable=1)}, RunStatus.FAILED),
        (4, None, {}, RunStatus.FAILED),
        (None, None, {}, RunStatus.UNKNOWN),
        (254, RunStatus.CANCELLED, {}, RunStatus.CANCELLED),
        (None, RunStatus.TIMED_OUT, FAILED, RunStatus.TIMED_OUT),
        (0, RunStatus.CANCELLED, {}, RunStatus.SUCCESSFUL),
    ],
)
def test_status_follows_what_the_run_said(
    rc: int | None, stopped: RunStatus | None, recaps: dict[str, Recap], status: RunStatus
) -> None:
    assert status_of(rc=rc, stopped=stopped, recaps=recaps) is status


def test_changes_are_counted_over_all_hosts() -> None:
    result = RunResult(
        status=RunStatus.SUCCESSFUL,
        duration_seconds=1.0,
        recaps={"a": Recap(changed=2), "b": Recap(changed=1)},
    )

    assert result.changed == 3


def test_statistics_use_the_words_of_the_recap() -> None:
    event = {
        "event": "playbook_on_stats",
        "event_data": {
            "processed": {"a": 1, "b": 1, "c": 1},
            "ok": {"a": 3},
            "changed": {"a": 1},
            "dark": {"b": 1},
            "failures": {"a": 1},
            "artifact_data": {"guests": {"a": {"cpus": 2}}},
        },
    }

    stats = statistics(event)

    assert stats is not None
    assert recaps_from(stats["recaps"]) == {
        "a": Recap(ok=3, changed=1, failed=1),
        "b": Recap(unreachable=1),
        "c": Recap(),
    }
    assert stats["facts"] == {"guests": {"a": {"cpus": 2}}}


def test_only_the_last_event_holds_statistics() -> None:
    assert statistics({"event": "runner_on_ok"}) is None


def runner_event(event: str, **data: Any) -> dict[str, Any]:
    return {
        "event": event,
        "created": "2026-11-22T01:02:03+00:00",
        "event_data": {"host": "a", "task": "T", **data},
    }


def test_a_result_is_reduced_to_whether_it_changed() -> None:
    fields = translate(
        runner_event("runner_on_ok", res={"changed": True, "stdout": "long", "invocation": {}})
    )

    assert fields == {
        "kind": "ok",
        "host": "a",
        "task": "T",
        "changed": True,
        "message": "",
        "at": "2026-11-22T01:02:03+00:00",
    }


def test_a_failure_that_the_playbook_ignores_is_no_failure() -> None:
    fields = translate(runner_event("runner_on_failed", res={"msg": "no"}, ignore_errors=True))

    assert fields is not None
    assert fields["kind"] == "ignored"
    assert failures_in([RunEvent(**fields)]) == ()


def test_events_nobody_needs_are_dropped() -> None:
    assert translate(runner_event("runner_on_start")) is None


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"msg": "non-zero return code", "stderr": "no space left\n"}, "non-zero return code\nno space left"),
        ({"msg": "MODULE FAILURE", "module_stderr": "x" * 5000 + "MemoryError"}, None),
        ({}, "the task failed and gave no message"),
        ("just words", "just words"),
    ],
)
def test_a_failure_tells_what_went_wrong(result: Any, message: str | None) -> None:
    told = failure_message(result)

    if message is None:
        assert told.endswith("MemoryError")
        assert len(told) < 2100
    else:
        assert told == message


def test_a_failed_item_speaks_for_its_loop() -> None:
    events = [
        RunEvent(kind="item_failed", host="a", task="T", message="disk b is busy"),
        RunEvent(kind="failed", host="a", task="T", message="One or more items failed"),
        RunEvent(kind="failed", host="b", task="T", message="no python"),
        RunEvent(kind="ok", host="c", task="T"),
    ]

    assert failures_in(events) == (Failure("a", "T", "disk b is busy"), Failure("b", "T", "no python"))
