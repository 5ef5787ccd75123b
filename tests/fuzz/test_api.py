"""The whole API as it is described, asked by everybody: no server error, answers as described, nothing of others."""

from functools import cache
from typing import Any

import pytest
from django.core.cache import cache as remembered
from django.core.wsgi import get_wsgi_application
from django.db import transaction

from tenants.models import UNIT_ROLES, Role
from tests.fuzz.answers import faults
from tests.fuzz.asking import Request, asked, operations
from tests.fuzz.world import ANONYMOUS, PERSONAS, world

pytestmark = pytest.mark.django_db
LEAST = 40
"""Operations that take something of everybody who has signed in; were there fewer, little would have been asked."""

described = cache(operations)
"""Made once in a process: everybody asks the same."""
service = get_wsgi_application()


def served(environ: dict[str, Any], start_response: Any) -> Any:
    """The service, as a server calls it that knows who is calling, and that is done with the answer once it is sent."""
    answer = service({**environ, "REMOTE_ADDR": "127.0.0.1"}, start_response)
    try:
        return [b"".join(answer)]
    finally:
        answer.close()


@pytest.mark.parametrize("who", PERSONAS)
def test_whatever_is_asked_is_answered_as_described(who: str, pytestconfig: pytest.Config) -> None:
    examples, beginning = pytestconfig.getoption("--examples"), pytestconfig.getoption("--fuzz-seed")
    only = pytestconfig.getoption("--only")
    at = world()
    found: dict[str, str] = {}
    reached: set[str] = set()
    for operation in described(examples=examples, beginning=beginning, only=only):
        for request in asked(operation, who=who, at=at, examples=examples, beginning=beginning):
            try:
                answer = _answer(request, headers=at.people[who])
            except UnicodeEncodeError:  # half a surrogate pair can be said in JSON, but in no form
                continue
            if answer.status_code < 300:
                reached.add(operation.route)
            for fault in faults(request.case, answer, hidden=at.hidden[who], said=request.said):
                found.setdefault(f"{operation.route}: {fault}", request.said[:600])
    assert not found, "\n".join(f"{what}\n    {how}" for what, how in found.items())
    if not only:
        assert (len(reached) > LEAST) == (who != ANONYMOUS), sorted(reached)


def test_what_belongs_to_others_would_be_noticed() -> None:
    """Of what the centre sees, the same check finds both departments' marks."""
    at = world()
    (operation,) = (
        each
        for each in described(examples=1, beginning=1, only="GET /api/v1/orders")
        if each.route == "GET orders"
    )
    request = next(asked(operation, who=Role.SUPERVISOR, at=at, examples=0, beginning=1))
    answer = _answer(request, headers=at.people[Role.SUPERVISOR])
    for unit in UNIT_ROLES:
        for who in (unit, f"{unit} next door"):
            (fault,) = faults(request.case, answer, hidden=at.hidden[who], said=request.said)
            assert fault.startswith("foreign data"), who


def _answer(request: Request, *, headers: dict[str, str]) -> Any:
    """What the request changed is taken back."""
    remembered.clear()
    sent, instead = dict(headers), {}
    if request.data is not None:
        instead["data"], sent["Content-Type"] = request.data, request.media_type
    with transaction.atomic():
        answer = request.case.call(app=served, base_url="http://localhost", headers=sent, **instead)
        transaction.set_rollback(True)
    return answer
