"""What can be taken out of the engine, one thing at a time, to see whether the simulation would notice."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.conf import settings
from django.utils import timezone

from govcloud import clock
from govcloud.provisioning import engine
from govcloud.provisioning.models import Step


def _owned_without_fence(visit: engine.Visit, steps: Any, **columns: Any) -> None:
    if not steps.filter(pk=visit.step.pk).update(**columns):
        raise engine.LeaseLost


MUTATIONS: dict[str, Any] = {}


@contextmanager
def without(name: str) -> Iterator[None]:
    """The engine without the named thing; whole where no name is given."""
    if not name:
        yield
        return
    with MUTATIONS[name]():
        yield
