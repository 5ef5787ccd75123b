from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from govcloud.orders import planner, releasing
from govcloud.orders.planner import (
    AllowancePlan,
    ExtensionPlan,
    NetworkPlan,
    ServerPlan,
    VolumePlan,
)
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.services import StepSpec

LEASE_END = datetime(2027, 11, 18, tzinfo=UTC)
ORDER, SYSTEM = uuid4(), uuid4()
NETWORK = NetworkPlan(unit=uuid4(), name="app-net", zone="private", cidr="10.120.0.0/26", dns=())


def server(name: str, network: UUID = NETWORK.unit) -> ServerPlan:
    return ServerPlan(
        unit=uuid4(), name=name, zone="private", flavor="g.4c16g", image="debian-12", network=network,
        system_volume=VolumePlan(unit=uuid4(), name=f"{name}-system", storage_class="ssd", size_gb=100),
        data_volumes=(VolumePlan(unit=uuid4(), name=f"{name}-data-1", storage_class="sas", size_gb=500, label="data1"),),
        lease_end=LEASE_END,
    )  # fmt: skip


def allowance() -> AllowancePlan:
    return AllowancePlan(
        unit=uuid4(), name="dr", zone="private", dr_level=3, capacity_gb=1200, frequency="daily", off_site=True,
        lease_end=LEASE_END,
    )  # fmt: skip


def delivered(*servers: ServerPlan, networks: Sequence[NetworkPlan] = (NETWORK,)) -> dict[str, StepSpec]:
    steps = planner.deliver(
        order=ORDER, system=SYSTEM, networks=networks, servers=servers, allowances=[allowance()]
    )
    return {step.key: step for step in steps}


def needed(steps: dict[str, StepSpec], key: str) -> set[str]:
    """Everything that is done before a step, directly or not."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        for need in steps[waiting.pop()].needs:
            if need not in found:
                found.add(need)
                waiting.append(need)
    return found


def test_every_step_comes_after_the_steps_it_needs() -> None:
    steps = delivered(server("app-1"), server("app-2"))
    seen: set[str] = set()
    for key, step in steps.items():
        assert set(step.needs) <= seen, key
        seen.add(key)


def test_a_server_waits_for_its_own_volume_and_port_and_not_for_another_server() -> None:
    one, two = server("app-1"), server("app-2")
    before = needed(delivered(one, two), f"{one.unit}:server")
    assert {
        f"{one.system_volume.unit}:volume",
        f"{one.unit}:port",
        f"{NETWORK.unit}:security_group",
    } <= before
    assert not [key for key in before if str(two.unit) in key or str(two.system_volume.unit) in key]


def test_limits_are_set_before_anything_is_built() -> None:
    one = server("app-1")
    steps = delivered(one)
    for kind in ("compute_quota", "volume_quota", "network_quota"):
        for key in (f"{one.system_volume.unit}:volume", f"{NETWORK.unit}:network", f"{one.unit}:server"):
            assert f"{ORDER}:{kind}" in needed(steps, key)


def test_a_server_is_handed_over_only_after_the_second_run_found_nothing_to_change() -> None:
    one = server("app-1")
    chain = needed(delivered(one), f"{one.unit}:handover")
    assert {f"{one.unit}:configure", f"{one.unit}:confirm", f"{one.data_volumes[0].unit}:attachment"} <= chain


def test_backups_are_arranged_for_all_volumes_once_every_server_is_handed_over() -> None:
    one, two = server("app-1"), server("app-2")
    (step,) = [step for step in delivered(one, two).values() if step.kind == "backup_allowance"]
    assert set(step.needs) == {f"{one.unit}:handover", f"{two.unit}:handover"}
    assert len(step.desired_state["volumes"]) == 4


def test_a_server_on_a_network_that_exists_needs_no_network_step() -> None:
    one = server("app-1", network=uuid4())
    steps = delivered(one, networks=())
    assert not [key for key in steps if key.endswith(":network")]
    assert f"{ORDER}:access" in needed(steps, f"{one.unit}:port")


def extension(*, online: bool, attached: bool = True) -> list[StepSpec]:
    return planner.extend(
        ExtensionPlan(
            unit=uuid4(), order=ORDER, system=SYSTEM, name="app-1-data-1", volume=uuid4(), volume_id="v-1",
            server=uuid4() if attached else None, storage_class="sas", from_gb=500, size_gb=800, online=online,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("online", "kinds"),
    [
        (True, ["volume_quota", "extension", "grow"]),
        (
            False,
            ["volume_quota", "let_go", "detachment", "extension", "attachment", "mount", "grow"],
        ),
    ],
)
def test_a_volume_grows_where_it_is_or_is_let_go_of_first(online: bool, kinds: list[str]) -> None:  # noqa: FBT001
    steps = extension(online=online)
    assert [step.kind for step in steps] == kinds
    assert all(set(step.needs) == {steps[position].key} for position, step in enumerate(steps[1:]))
    assert {step.desired for step in steps} == {Desired.PRESENT}  # else it could not be abandoned


def test_a_volume_that_is_attached_nowhere_grows_without_a_guest() -> None:
    assert [step.kind for step in extension(online=True, attached=False)] == ["volume_quota", "extension"]


def standing(name: str) -> releasing.Standing:
    return releasing.Standing(built=uuid4(), release=uuid4(), name=name, external_id=f"id-{name}")


def test_a_release_ends_service_first_and_takes_the_server_before_what_it_holds() -> None:
    steps = releasing.release_server(
        server=standing("app-2"), port_id="p-1", volumes=[standing("a"), standing("b")]
    )
    retired, gone, *held = steps
    assert (retired.kind, gone.kind, sorted(step.kind for step in held)) == (
        "retirement",
        "server",
        ["port", "volume", "volume"],
    )
    assert gone.needs == (retired.key,)
    assert all(step.needs == (gone.key,) and step.desired == "absent" and step.external_id for step in held)


def test_an_attached_data_volume_is_unmounted_and_detached_before_it_goes() -> None:
    steps = releasing.release_volume(volume=standing("data"), server=uuid4())
    assert [(step.kind, step.desired) for step in steps] == [
        ("retirement", "present"), ("unmount", "present"), ("attachment", "absent"), ("volume", "absent"),
    ]  # fmt: skip


def test_a_network_goes_after_the_ports_on_it() -> None:
    network, group = releasing.release_network(
        network=standing("net"), security_group_id="g-1", after=["port-key"]
    )
    assert (network.needs, group.needs, group.external_id) == (("port-key",), (network.key,), "g-1")
