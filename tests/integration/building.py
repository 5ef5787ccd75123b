"""Orders carried out by an engine in the test's own process, on the sandbox cloud over HTTP."""

import time
from datetime import UTC, datetime

from govcloud.gateways import openstack
from govcloud.inventory.models import Project
from govcloud.orders import fulfilment
from govcloud.orders.drafts import ItemDraft
from govcloud.orders.models import Order
from govcloud.provisioning import engine
from govcloud.provisioning.models import Step
from tests.factories.orders import STORY, Scene, approved


def now() -> datetime:
    return datetime.now(UTC)


def work(*, seconds: float = 120) -> None:
    """Let a worker work until nothing is due any more."""
    deadline = time.monotonic() + seconds
    while Step.objects.filter(next_run_at__isnull=False).exists() and time.monotonic() < deadline:
        if not engine.run_due(clock=now):
            time.sleep(0.05)
    for operation in fulfilment.ended():
        fulfilment.take_up(operation, at=now())


def built(on: Scene, *, items: tuple[ItemDraft, ...] = STORY) -> Order:
    order = approved(on, at=now(), items=items)
    work()
    order.refresh_from_db()
    return order


def project(on: Scene) -> openstack.Cloud:
    """The cloud as the project of the scene's system sees it."""
    return openstack.connect(cloud="sandbox", project_id=Project.objects.get(system=on.system).external_id)


def states() -> dict[str, str]:
    """What is not done, and why."""
    return {
        f"{step.kind} {step.label}": f"{step.state} {step.last_error}"
        for step in Step.objects.exclude(state="done")
    }
