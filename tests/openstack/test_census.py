"""Lists of everything in the cloud, as operators read them to compare a cloud with our records."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import pytest

from govcloud.gateways.openstack import Cloud, census, errors
from tests.openstack.laboratory import FLAVOR, VOLUME_TYPE, Laboratory, eventually, gone, settled

SECOND = timedelta(seconds=1)


class Listed(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def project_id(self) -> str: ...


One = TypeVar("One", bound=Listed)


def by_id(pages: Iterable[list[One]]) -> dict[str, One]:
    return {each.id: each for page in pages for each in page}


def changed(row: census.ListedServer | census.ListedVolume) -> datetime:
    assert row.updated_at is not None
    return row.updated_at


def test_an_operator_lists_what_stands_in_every_project(
    laboratory: Laboratory, operator: Cloud, cloud: Cloud
) -> None:
    server = laboratory.server()
    volume = laboratory.volume(unit="u-1")
    port = cloud.network.find_ports(server_id=server.id)[0]
    cloud.network.set_tags(collection="ports", resource_id=port.id, tags=["gc"])
    listed = by_id(operator.census.servers())[server.id]
    assert (listed.project_id, listed.name, listed.status) == (laboratory.project.id, server.name, "ACTIVE")
    assert (listed.flavor_name, listed.tags, listed.task_state) == (FLAVOR, server.tags, None)
    volumes = by_id(operator.census.volumes())
    assert volumes[server.volume_ids[0]].server_ids == (server.id,)
    found = volumes[volume.id]
    assert (found.project_id, found.size_gib, found.volume_type) == (laboratory.project.id, 1, VOLUME_TYPE)
    assert (found.metadata, found.server_ids, found.status) == ({"unit": "u-1"}, (), "available")
    seen = by_id(operator.census.ports())[port.id]
    assert (seen.device_id, seen.addresses, seen.tags) == (server.id, port.addresses, {"gc"})
    assert set(seen.security_group_ids) == set(port.security_group_ids)
    assert by_id(operator.census.networks())[port.network_id].project_id == laboratory.project.id
    groups = by_id(operator.census.security_groups())
    assert {groups[each].project_id for each in port.security_group_ids} == {laboratory.project.id}
    one_by_one = operator.census
    assert one_by_one.server(server.id) == listed
    assert one_by_one.volume(volume.id) == found
    assert one_by_one.port(port.id) == seen
    assert one_by_one.network(port.network_id) == by_id(operator.census.networks())[port.network_id]
    assert [one_by_one.security_group(each) for each in port.security_group_ids] == [
        groups[each] for each in port.security_group_ids
    ]


def test_an_operator_lists_how_networks_are_reached_in_every_project(
    laboratory: Laboratory, operator: Cloud, cloud: Cloud
) -> None:
    (outside, *_others) = cloud.network.find_networks(external=True)
    port = laboratory.port()
    router = cloud.routing.create_router(name=laboratory.unique("router"), external_network_id=outside.id)
    cloud.routing.add_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)
    floating = cloud.routing.create_floating_ip(
        external_network_id=outside.id, port_id=port.id, description="ours"
    )
    seen = by_id(operator.census.routers())[router.id]
    assert (seen.project_id, seen.name, seen.enabled) == (laboratory.project.id, router.name, True)
    assert (seen.external_network_id, seen.outside_addresses) == (outside.id, router.outside_addresses)
    assert seen.subnet_ids == (laboratory.subnet.id,)
    found = by_id(operator.census.floating_ips())[floating.id]
    assert (found.project_id, found.address, found.network_id) == (
        laboratory.project.id, floating.address, outside.id,
    )  # fmt: skip
    assert (found.port_id, found.description) == (port.id, "ours")
    assert (operator.census.router(router.id), operator.census.floating_ip(floating.id)) == (seen, found)
    cloud.routing.delete_floating_ip(floating.id)
    cloud.routing.remove_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)
    assert by_id(operator.census.routers())[router.id].subnet_ids == ()
    cloud.routing.delete_router(router.id)


def test_an_operator_lists_what_is_kept_of_volumes_in_every_project(
    laboratory: Laboratory, operator: Cloud, cloud: Cloud
) -> None:
    volume = laboratory.volume()
    snapshot = laboratory.snapshot(volume)
    made = cloud.backups.create_backup(
        volume_id=volume.id, name=laboratory.unique("backup"), metadata={"unit": "u-2"}
    )
    backup = settled(lambda: cloud.backups.get_backup(made.id))
    seen = by_id(operator.census.snapshots())[snapshot.id]
    assert (seen.project_id, seen.name, seen.volume_id) == (laboratory.project.id, snapshot.name, volume.id)
    found = by_id(operator.census.backups())[backup.id]
    assert (found.project_id, found.name, found.volume_id) == (laboratory.project.id, backup.name, volume.id)
    assert (seen.status, found.status, found.metadata) == ("available", "available", {"unit": "u-2"})
    assert (operator.census.snapshot(snapshot.id), operator.census.backup(backup.id)) == (seen, found)
    cloud.backups.delete_backup(backup.id)
    cloud.snapshots.delete_snapshot(snapshot.id)
    gone(lambda: cloud.backups.get_backup(backup.id))
    gone(lambda: cloud.snapshots.get_snapshot(snapshot.id))
    assert backup.id not in by_id(operator.census.backups())
    with pytest.raises(errors.NotFound):
        operator.census.snapshot(snapshot.id)


def test_a_group_is_listed_with_its_rules_whoever_they_belong_to(
    laboratory: Laboratory, operator: Cloud, cloud: Cloud
) -> None:
    group = cloud.security_groups.create_group(name=laboratory.unique("group"))
    own = cloud.security_groups.create_rule(group_id=group.id, protocol="icmp", description="ours")
    theirs = operator.security_groups.create_rule(group_id=group.id, protocol="6", port_min=22, port_max=22)
    assert (own.project_id, theirs.project_id) == (laboratory.project.id, operator.project_id)
    seen = by_id(operator.census.security_groups())[group.id]
    rules = {rule.id: rule for rule in seen.rules if rule.direction == "ingress"}
    assert (rules, seen.project_id) == ({own.id: own, theirs.id: theirs}, laboratory.project.id)
    alone = operator.census.security_group(group.id)
    assert (alone.id, alone.project_id, set(alone.rules)) == (
        seen.id,
        seen.project_id,
        set(seen.rules),
    )  # in no order
    assert operator.census.security_rule(theirs.id) == theirs
    assert theirs.id in {rule.id for rule in cloud.security_groups.find_rules(group_id=group.id)}
    with pytest.raises(errors.NotFound):
        cloud.security_groups.delete_rule(theirs.id)
    operator.security_groups.delete_rule(theirs.id)
    cloud.security_groups.delete_group(group.id)


def test_lists_go_on_from_page_to_page(
    laboratory: Laboratory, operator: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = {laboratory.volume().id for _ in range(3)}
    ports = {laboratory.port().id for _ in range(3)}
    monkeypatch.setattr(census, "PAGE", 2)

    def read(pages: Iterator[list[One]]) -> set[str]:
        held = list(pages)
        assert len(held) > 1
        assert max(len(page) for page in held) == 2
        return {each.id for page in held for each in page}

    assert volumes <= read(operator.census.volumes())
    assert ports <= read(operator.census.ports())


def read_beside_a_removal(
    pages: Iterator[list[One]], ours: set[str], remove: Callable[[str], object]
) -> set[str]:
    """Read a list to its end, and remove the row of ours that some page ends with before the next is asked for.

    Other tests' rows are in the list too, so which page that is cannot be told before.
    """
    read: set[str] = set()
    for page in pages:
        read.update(each.id for each in page)
        if len(page) > 1 and page[-1].id in ours and not ours <= read:
            remove(page[-1].id)
            break
    else:
        pytest.fail("no page ended with a row of ours")
    return read | by_id(pages).keys()


def test_a_list_goes_on_although_the_row_that_its_next_page_begins_behind_has_gone(
    laboratory: Laboratory, operator: Cloud, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Volumes are listed newest first, ports by their ids: ours are in pages with what other tests make meanwhile."""
    monkeypatch.setattr(census, "PAGE", 2)

    def remove_volume(volume_id: str) -> None:
        cloud.volumes.delete_volume(volume_id)
        gone(lambda: cloud.volumes.get_volume(volume_id))

    volumes = {laboratory.volume().id for _ in range(6)}
    assert volumes <= read_beside_a_removal(operator.census.volumes(), volumes, remove_volume)
    ports = {laboratory.port().id for _ in range(12)}
    assert ports <= read_beside_a_removal(operator.census.ports(), ports, cloud.network.delete_port)


def test_servers_that_changed_are_listed_by_the_clouds_own_clock_deleted_ones_too(
    laboratory: Laboratory, operator: Cloud, cloud: Cloud
) -> None:
    server = laboratory.server()
    made = changed(by_id(operator.census.servers())[server.id])
    assert server.id in by_id(operator.census.servers(changed_since=made))
    assert server.id not in by_id(operator.census.servers(changed_since=made + SECOND))

    time.sleep(2 * SECOND.total_seconds())  # times of change are told to the second
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))
    assert server.id not in by_id(operator.census.servers())
    listed = eventually(
        lambda: by_id(operator.census.servers(changed_since=made + SECOND)), lambda rows: server.id in rows
    )[server.id]
    assert (listed.deleted, listed.name, listed.tags) == (True, server.name, frozenset())


def test_a_servers_tags_do_not_count_as_a_change_of_it(
    laboratory: Laboratory, operator: Cloud, cloud: Cloud
) -> None:
    server = laboratory.server()
    before = changed(by_id(operator.census.servers())[server.id])
    cloud.compute.set_tags(server.id, ["other"])
    after = by_id(operator.census.servers())[server.id]
    assert (after.tags, after.updated_at) == ({"other"}, before)


def test_volumes_that_changed_are_listed_but_not_those_whose_metadata_did(
    laboratory: Laboratory, operator: Cloud, cloud: Cloud
) -> None:
    volume = laboratory.volume()
    before = changed(by_id(operator.census.volumes())[volume.id])
    assert volume.id in by_id(operator.census.volumes(changed_since=before))
    cloud.volumes.set_metadata(volume.id, {"unit": "other"})
    after = by_id(operator.census.volumes())[volume.id]
    assert (after.metadata["unit"], after.updated_at) == ("other", before)
    assert volume.id not in by_id(operator.census.volumes(changed_since=before + SECOND))
    time.sleep(2 * SECOND.total_seconds())  # times of change are told to the second
    cloud.volumes.extend_volume(volume.id, size_gib=2)
    grown = eventually(
        lambda: by_id(operator.census.volumes(changed_since=before + SECOND)), lambda rows: volume.id in rows
    )[volume.id]
    assert changed(grown) > before
