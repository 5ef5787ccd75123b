"""What can be done to a server that runs, and what the cloud keeps of it."""

import pytest

from govcloud.gateways.openstack import Cloud, errors, models
from tests.openstack.laboratory import LARGER_FLAVOR, Laboratory, eventually, gone, settled

OF_NOBODY = "00000000-0000-4000-8000-000000000000"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


def test_of_two_hard_reboots_both_are_taken_and_each_has_its_record(
    cloud: Cloud, server: models.Server
) -> None:
    before = {action.request_id for action in cloud.compute.actions(server.id)}
    first = cloud.compute.reboot_server(server.id, hard=True)
    second = cloud.compute.reboot_server(server.id, hard=True)
    settled(lambda: cloud.compute.get_server(server.id))
    records = [action for action in cloud.compute.actions(server.id) if action.request_id not in before]
    assert {action.request_id for action in records} == {first, second}, (
        "nothing but the record tells one request from the other"
    )
    assert {action.name for action in records} == {"reboot"}


def test_a_second_soft_reboot_is_a_conflict(laboratory: Laboratory, cloud: Cloud) -> None:
    server = laboratory.server()
    cloud.compute.stop_server(server.id)
    settled(lambda: cloud.compute.get_server(server.id))
    with pytest.raises(errors.Conflict):
        cloud.compute.reboot_server(server.id)
    cloud.compute.reboot_server(server.id, hard=True)
    assert settled(lambda: cloud.compute.get_server(server.id)).status == "ACTIVE"
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))


def test_the_records_of_a_server_come_latest_first_and_outlive_it(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    server = laboratory.server()
    cloud.compute.reboot_server(server.id, hard=True)
    settled(lambda: cloud.compute.get_server(server.id))
    assert [action.name for action in cloud.compute.actions(server.id)] == ["reboot", "create"]
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))
    assert [action.name for action in cloud.compute.actions(server.id)] == ["delete", "reboot", "create"]


def test_a_new_name_is_there_at_once_and_leaves_no_record(cloud: Cloud, server: models.Server) -> None:
    known = len(cloud.compute.actions(server.id))
    cloud.compute.rename_server(server.id, name="renamed-1")
    assert cloud.compute.get_server(server.id).name == "renamed-1"
    assert len(cloud.compute.actions(server.id)) == known
    with pytest.raises(errors.Refused):
        cloud.compute.rename_server(server.id, name="")
    cloud.compute.rename_server(server.id, name=server.name)


def test_an_interface_is_added_once_and_its_port_outlives_it(
    laboratory: Laboratory, cloud: Cloud, server: models.Server
) -> None:
    port = laboratory.port()
    cloud.compute.add_interface(server.id, port_id=port.id)
    assert cloud.compute.interfaces(server.id)[port.id] == port.network_id
    assert cloud.network.get_port(port.id).device_id == server.id
    with pytest.raises(errors.Conflict):
        cloud.compute.add_interface(server.id, port_id=port.id)
    with pytest.raises(errors.NotFound):
        cloud.compute.add_interface(server.id, port_id=OF_NOBODY)

    cloud.compute.remove_interface(server.id, port_id=port.id)
    eventually(lambda: cloud.network.get_port(port.id), lambda seen: not seen.device_id)
    assert port.id not in cloud.compute.interfaces(server.id)
    cloud.compute.remove_interface(server.id, port_id=port.id)  # taken again, without an effect
    eventually(lambda: cloud.compute.actions(server.id)[0], lambda action: action.failed)
    assert cloud.compute.actions(server.id)[0].name == "detach_interface"
    cloud.network.delete_port(port.id)


def test_a_rebuilt_server_keeps_everything_but_what_was_on_its_system_volume(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    server, data = laboratory.server(), laboratory.volume()
    cloud.compute.attach_volume(server.id, volume_id=data.id)
    eventually(lambda: cloud.volumes.get_volume(data.id), lambda seen: seen.status == "in-use")
    request_id = cloud.compute.rebuild_server(server.id, image_id=laboratory.image.id)
    with pytest.raises(errors.Conflict):
        cloud.compute.rebuild_server(server.id, image_id=laboratory.image.id)
    rebuilt = settled(lambda: cloud.compute.get_server(server.id))
    assert (rebuilt.status, rebuilt.fault) == ("ACTIVE", None)
    assert (set(rebuilt.volume_ids), rebuilt.addresses, rebuilt.key_name, rebuilt.tags) == (
        {*server.volume_ids, data.id},
        server.addresses,
        server.key_name,
        server.tags,
    )
    assert cloud.volumes.get_volume(server.volume_ids[0]).status == "in-use"
    action = eventually(
        lambda: cloud.compute.get_action(server.id, request_id=request_id), lambda seen: seen.finished
    )
    assert (action.name, action.failed) == ("rebuild", False)
    with pytest.raises(errors.Refused):
        cloud.compute.rebuild_server(server.id, image_id=OF_NOBODY)

    cloud.compute.stop_server(server.id)
    settled(lambda: cloud.compute.get_server(server.id))
    request_id = cloud.compute.rebuild_server(server.id, image_id=laboratory.image.id)
    # it is ACTIVE for a moment, without a task, before it is stopped again: only the record tells the end
    eventually(lambda: cloud.compute.get_action(server.id, request_id=request_id), lambda seen: seen.finished)
    assert settled(lambda: cloud.compute.get_server(server.id)).status == "SHUTOFF", "it stays as it was"
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))


def test_a_rebuild_gives_the_key_it_names(laboratory: Laboratory, cloud: Cloud) -> None:
    server = laboratory.server()
    key = cloud.compute.create_keypair(name=f"other-{server.id}", public_key=OTHER_KEY)
    cloud.compute.rebuild_server(server.id, image_id=laboratory.image.id, key_name=key.name)
    assert settled(lambda: cloud.compute.get_server(server.id)).key_name == key.name
    with pytest.raises(errors.Refused):
        cloud.compute.rebuild_server(server.id, image_id=laboratory.image.id, key_name="of-nobody")
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))
    cloud.compute.delete_keypair(key.name)


def test_a_resize_is_confirmed_once_and_only_when_it_waits_for_it(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    server, larger = laboratory.server(), laboratory.flavors[LARGER_FLAVOR]
    with pytest.raises(errors.Conflict):
        cloud.compute.confirm_resize(server.id)
    with pytest.raises(errors.Refused):
        cloud.compute.resize_server(server.id, flavor_id=server.flavor_id)
    cloud.compute.resize_server(server.id, flavor_id=larger.id)
    with pytest.raises(errors.Conflict):
        cloud.compute.resize_server(server.id, flavor_id=larger.id)
    eventually(lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "VERIFY_RESIZE")
    with pytest.raises(errors.Conflict):
        cloud.compute.stop_server(server.id)
    cloud.compute.confirm_resize(server.id)
    for again in (cloud.compute.confirm_resize, cloud.compute.revert_resize):
        with pytest.raises(errors.Conflict):  # also as long as it still says VERIFY_RESIZE
            again(server.id)
    eventually(lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "ACTIVE")
    names = [action.name for action in cloud.compute.actions(server.id)]
    assert (names.count("resize"), names.count("confirmResize")) == (1, 1)
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))


def test_a_console_is_linked_to_where_the_cloud_has_consoles(cloud: Cloud, server: models.Server) -> None:
    try:
        url = cloud.compute.console_url(server.id)
    except errors.Refused as refusal:
        assert refusal.message == "Unavailable console type novnc."  # noqa: PT017  a cloud without a proxy
    else:
        assert url.startswith("http")
