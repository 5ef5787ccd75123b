"""Workers that die in the middle of a visit, in the test's own process."""

from typing import Any

import pytest

from govcloud.provisioning import engine
from govcloud.provisioning.models import Step
from tests.integration.building import work


class Killed(BaseException):
    """What a SIGKILL looks like from inside: no handler of the engine's catches it."""


def die(monkeypatch: pytest.MonkeyPatch, moment: str, *, kind: str = "") -> None:
    """Let a worker work and die at a ``moment`` of a visit, by the name of its method: ``_adopt`` is when the request has landed and
    what it made is not written down. Of a step of that ``kind`` if one is given; fails if that moment never comes.
    """
    original = getattr(engine.Visit, moment)

    def killed(visit: engine.Visit, *args: Any, **kwargs: Any) -> Any:
        if kind in {"", visit.step.kind}:
            raise Killed
        return original(visit, *args, **kwargs)

    with monkeypatch.context() as dying:
        dying.setattr(engine.Visit, moment, killed)
        with pytest.raises(Killed):
            work()


def die_and_be_followed(monkeypatch: pytest.MonkeyPatch, moment: str, *, kind: str = "") -> None:
    """As ``die``; once the lease is over others go on from there."""
    die(monkeypatch, moment, kind=kind)
    Step.objects.filter(lease_until__isnull=False).update(lease_until=None)
    work()
