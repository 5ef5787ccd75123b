import pytest

from govcloud.sandbox.errors import ApiError, conflict, over_limit, render
from govcloud.sandbox.faults import Faults


def taken(faults: Faults, path: str = "/compute/v2.1/servers", project: str | None = "p") -> bool:
    return faults.take("compute", "POST", path, project) is not None


def test_a_rule_counts_down():
    faults = Faults()
    faults.add({"action": "reset", "times": 2})
    assert [taken(faults) for _ in range(3)] == [True, True, False]
    assert faults.listed()[0]["hits"] == 2


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        ({"service": "compute"}, True),
        ({"service": "volume"}, False),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"path": "servers$"}, True),
        ({"path": "^servers"}, False),
        ({"project": "p"}, True),
        ({"project": "q"}, False),
        ({"probability": 0}, False),
    ],
)
def test_a_rule_says_what_it_is_about(rule, applies):
    faults = Faults()
    faults.add({"action": "status"} | rule)
    assert taken(faults) is applies


def test_the_first_rule_that_applies_is_used_and_rules_can_be_lifted():
    faults = Faults()
    first = faults.add({"action": "reset"})
    second = faults.add({"action": "timeout"})
    assert faults.take("compute", "GET", "/", None) is first
    faults.clear(first.id)
    assert faults.take("compute", "GET", "/", None) is second
    faults.clear()
    assert faults.take("compute", "GET", "/", None) is None


@pytest.mark.parametrize(
    "rule", [{"action": "explode"}, {"action": "reset", "when": "never"}, {"colour": "red"}]
)
def test_a_bad_rule_is_refused(rule):
    with pytest.raises(ApiError):
        Faults().add(rule)


@pytest.mark.parametrize(
    ("service", "error", "body"),
    [
        ("compute", conflict("no"), b'{"conflictingRequest": {"code": 409, "message": "no"}}'),
        ("volume", over_limit("no"), b'{"overLimit": {"code": 413, "message": "no", "retryAfter": "0"}}'),
        (
            "network",
            conflict("no", kind="OverQuota"),
            b'{"NeutronError": {"type": "OverQuota", "message": "no", "detail": ""}}',
        ),
        ("identity", conflict("no"), b'{"error": {"code": 409, "message": "no", "title": "Conflict"}}'),
        ("compute", ApiError(500, "no"), b'{"computeFault": {"code": 500, "message": "no"}}'),
    ],
)
def test_every_service_has_its_own_way_to_say_no(service, error, body):
    assert render(service, error, "req-1") == (body, "application/json")


def test_glance_says_it_in_html():
    body, content_type = render("image", conflict("<no>"), "req-1")
    assert content_type.startswith("text/html")
    assert b"409 Conflict" in body
    assert b"&lt;no&gt;" in body
