"""A cloud that keeps deleted servers for a while (Nova's ``reclaim_instance_interval``)."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from govcloud.gateways.openstack.models import Server
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds.base import Gone, Moving
from govcloud.provisioning.kinds.compute import ServerKind
from tests.unit.gateways.test_openstack_models import SERVER


class Nova:
    """One server, and what is done to it."""

    def __init__(self, **server: Any) -> None:
        self.server: Server = replace(SERVER, **server)
        self.asked: list[str] = []

    def get_server(self, _id: str) -> Server:
        return self.server

    def delete_server(self, _id: str) -> None:
        self.asked.append("delete")

    def force_delete_server(self, _id: str) -> None:
        self.asked.append("forceDelete")


def at_work(nova: Nova, *, desired: str = "absent", state: str = "removing") -> Context:
    step = SimpleNamespace(desired=desired, state=state)
    return cast("Context", SimpleNamespace(project=SimpleNamespace(compute=nova), step=step))


def test_it_has_gone_once_it_is_deleted_for_good() -> None:
    nova = Nova(status="SOFT_DELETED", task_state=None)
    assert ServerKind().look(at_work(nova), "s") == Moving()
    ServerKind().remove(at_work(nova), "s")
    assert nova.asked == ["forceDelete"]
    nova.server = replace(SERVER, status="DELETED")
    assert ServerKind().look(at_work(nova), "s") == Gone()


def test_what_was_to_be_there_has_gone_with_the_first_deletion() -> None:
    there = at_work(Nova(status="SOFT_DELETED"), desired="present", state="settling")
    assert ServerKind().look(there, "s") == Gone()


def test_what_came_out_broken_has_gone_before_it_is_built_anew() -> None:
    """Its boot volume and its port are its own until then."""
    nova = Nova(status="SOFT_DELETED", task_state=None)
    context = at_work(nova, desired="present", state="replacing")
    assert ServerKind().look(context, "s") == Moving()
    ServerKind().remove(context, "s")
    assert nova.asked == ["forceDelete"]


@pytest.mark.parametrize("task", ["deleting", "soft-deleting"])
def test_nothing_is_asked_twice_while_it_goes(task: str) -> None:
    nova = Nova(status="ACTIVE", task_state=task)
    ServerKind().remove(at_work(nova), "s")
    assert nova.asked == []
