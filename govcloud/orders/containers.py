"""From what an order changes or releases of object containers to the steps that do it. Reads rows, writes and asks nothing."""

from uuid import UUID

from govcloud.inventory.models import Resource
from govcloud.orders.planner import key_of
from govcloud.orders.releasing import Standing, absent, retirement
from govcloud.provisioning.actions.objects import shut_out, user_gone
from govcloud.provisioning.services import StepSpec


def requote(*, unit: UUID, container: Resource, quota_gb: int) -> list[StepSpec]:
    """A container's quota, up or down; ``unit`` is the change."""
    held = container.container
    state = {
        "resource": str(container.unit), "storage_class": held.storage_class.code,
        "from_gb": held.quota_gb, "quota_gb": quota_gb,
    }  # fmt: skip
    return [
        StepSpec(
            key=key_of(unit, "container_quota"), kind="container_quota", label=container.name, unit=unit,
            desired_state=state,
        )
    ]  # fmt: skip


def release(container: Resource, standing: Standing, *, with_contents: bool) -> list[StepSpec]:
    """Looked into before anything is taken away; or, if its contents go with it, closed to everybody and then emptied."""
    steps = [] if with_contents else [_inside("container_emptiness", standing)]
    steps.append(retirement(standing, needs=tuple(step.key for step in steps)))
    steps += _nobody_let_in(container, standing, steps[-1].key)
    if with_contents:
        steps.append(_inside("container_contents", standing, steps[-1].key))
    return [*steps, absent("container", standing, steps[-1].key)]


def _nobody_let_in(container: Resource, standing: Standing, after: str) -> list[StepSpec]:
    credentials = list(container.container.credentials.in_force().order_by("pk"))
    if not credentials:
        return []
    key, release = key_of(standing.release, "credential_access"), standing.release
    steps = [shut_out(credentials, container=container, unit=release, key=key, needs=(after,))]
    for credential in credentials:
        key = key_of(release, f"credential_user-{credential.pk}")
        steps.append(user_gone(credential, unit=release, key=key, needs=(steps[-1].key,)))
    return steps


def _inside(kind: str, standing: Standing, *needs: str) -> StepSpec:
    return StepSpec(
        key=key_of(standing.release, kind), kind=kind, label=standing.name, unit=standing.release,
        desired_state={"resource": str(standing.built)}, needs=needs,
    )  # fmt: skip
