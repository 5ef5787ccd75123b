"""Servers: made once, found by their tags, and what can be done to one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from govcloud.gateways.openstack import Cloud, errors, models
from tests.openstack.laboratory import FLAVOR, LARGER_FLAVOR, Laboratory, eventually, gone, settled

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGs9V4f0TgHvXyJVqHjW0m9hVZ5vN5g1yP0GmyTqJ1lq contract"


def in_use(volume: models.Volume) -> bool:
    return volume.status == "in-use"


def available(volume: models.Volume) -> bool:
    return volume.status == "available"


def test_a_server_is_told_by_its_tags_from_the_first_moment(laboratory: Laboratory, cloud: Cloud) -> None:
    tag, port = laboratory.unique("tag"), laboratory.port()
    boot = laboratory.volume(image_id=laboratory.image.id)
    accepted = laboratory.request_server(volume_id=boot.id, port_id=port.id, tag=tag)
    assert accepted.request_id

    found = cloud.compute.find_servers(tag=tag)
    assert [each.id for each in found] == [accepted.id]
    assert found[0].phase in {models.Phase.MOVING, models.Phase.SETTLED}

    server = settled(lambda: cloud.compute.get_server(accepted.id))
    assert (server.status, server.fault) == ("ACTIVE", None)
    assert server.tags == {"contract", tag}
    assert server.metadata == {"made-by": "contract"}
    assert server.flavor_id == laboratory.flavors[FLAVOR].id
    assert server.volume_ids == (boot.id,)
    assert {address for addresses in server.addresses.values() for address in addresses} == set(
        port.addresses
    )
    assert cloud.network.get_port(port.id).device_id == server.id
    assert cloud.network.find_ports(server_id=server.id)[0].id == port.id

    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))
    assert cloud.compute.find_servers(tag=tag) == []
    freed = eventually(lambda: cloud.volumes.get_volume(boot.id), available)
    assert freed.attached_to == {}, "the boot volume outlives its server"


def test_of_several_requests_with_one_volume_exactly_one_is_taken(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    tag, boot = laboratory.unique("race"), laboratory.volume(image_id=laboratory.image.id)
    ports = [laboratory.port() for _ in range(5)]

    def request(port: models.Port) -> models.Accepted | errors.CloudError:
        try:
            return laboratory.request_server(volume_id=boot.id, port_id=port.id, tag=tag)
        except errors.CloudError as error:
            return error

    with ThreadPoolExecutor(len(ports)) as threads:
        answers = list(threads.map(request, ports))

    taken = [answer for answer in answers if isinstance(answer, models.Accepted)]
    refused = [answer for answer in answers if isinstance(answer, errors.CloudError)]
    assert len(taken) == 1, answers
    assert {type(error) for error in refused} == {errors.Conflict}, refused
    assert [each.id for each in cloud.compute.find_servers(tag=tag)] == [taken[0].id]
    holders = eventually(lambda: cloud.volumes.attachments(boot.id), bool)
    assert {held.server_id for held in holders} == {taken[0].id}, (
        "a loser finds the winner by the volume it holds"
    )
    cloud.compute.delete_server(taken[0].id)
    gone(lambda: cloud.compute.get_server(taken[0].id))


def test_a_second_request_with_the_volume_of_a_running_server_is_a_conflict(
    laboratory: Laboratory, server: models.Server
) -> None:
    with pytest.raises(errors.Conflict) as refusal:
        laboratory.request_server(volume_id=server.volume_ids[0], port_id=laboratory.port().id)
    assert refusal.value.status == 400
    assert not refusal.value.effect_unknown


def test_a_port_in_use_is_a_conflict_and_leaves_the_volume_free(
    laboratory: Laboratory, cloud: Cloud, server: models.Server
) -> None:
    boot = laboratory.volume(image_id=laboratory.image.id)
    taken = cloud.network.find_ports(server_id=server.id)[0]
    with pytest.raises(errors.Conflict):
        laboratory.request_server(volume_id=boot.id, port_id=taken.id)
    assert eventually(lambda: cloud.volumes.get_volume(boot.id), available)


def test_an_unknown_flavor_is_refused(laboratory: Laboratory, cloud: Cloud) -> None:
    boot, port = laboratory.volume(image_id=laboratory.image.id), laboratory.port()
    with pytest.raises(errors.Refused):
        cloud.compute.create_server_from_volume(
            name="odd", flavor_id="no-such-flavor", volume_id=boot.id, port_ids=[port.id], tags=["contract"]
        )


def test_a_server_without_a_bootable_volume_is_refused(laboratory: Laboratory) -> None:
    with pytest.raises(errors.Refused):
        laboratory.request_server(volume_id=laboratory.volume().id, port_id=laboratory.port().id)


def test_a_volume_is_attached_and_detached(
    laboratory: Laboratory, cloud: Cloud, server: models.Server
) -> None:
    data = laboratory.volume()
    held = cloud.compute.attach_volume(server.id, volume_id=data.id)
    assert held.volume_id == data.id
    attached = eventually(lambda: cloud.volumes.get_volume(data.id), in_use)
    assert set(attached.attached_to) == {server.id}
    assert data.id in {each.volume_id for each in cloud.compute.volume_attachments(server.id)}
    assert [each.server_id for each in cloud.volumes.attachments(data.id)] == [server.id]
    with pytest.raises(errors.Conflict):
        cloud.volumes.delete_volume(data.id)

    cloud.compute.detach_volume(server.id, volume_id=data.id)
    eventually(lambda: cloud.volumes.get_volume(data.id), available)
    with pytest.raises(errors.NotFound):
        cloud.compute.detach_volume(server.id, volume_id=data.id)
    assert cloud.volumes.attachments(data.id) == []


def test_a_volume_in_use_grows_or_says_that_it_did_not(
    laboratory: Laboratory, cloud: Cloud, operator: Cloud, server: models.Server
) -> None:
    data = laboratory.volume()
    cloud.compute.attach_volume(server.id, volume_id=data.id)
    eventually(lambda: cloud.volumes.get_volume(data.id), in_use)
    cloud.volumes.extend_volume(data.id, size_gib=2)
    seen = settled(lambda: cloud.volumes.get_volume(data.id))
    assert (seen.status, seen.size_gib) in {("in-use", 2), ("error_extending", 1)}
    if seen.phase is models.Phase.FAILED:  # the back end extends free volumes only
        with pytest.raises(errors.CloudError):
            cloud.volumes.reset_status(data.id, status="in-use")
        operator.volumes.reset_status(data.id, status="in-use")
    cloud.compute.detach_volume(server.id, volume_id=data.id)
    assert eventually(lambda: cloud.volumes.get_volume(data.id), available).size_gib == seen.size_gib


def test_of_several_attachments_of_one_volume_exactly_one_is_taken(
    laboratory: Laboratory, cloud: Cloud, server: models.Server
) -> None:
    data = laboratory.volume()

    def attach(_: int) -> models.VolumeAttachment | errors.CloudError:
        try:
            return cloud.compute.attach_volume(server.id, volume_id=data.id)
        except errors.CloudError as error:
            return error

    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(attach, range(3)))
    assert sum(isinstance(answer, models.VolumeAttachment) for answer in answers) == 1, answers
    assert {type(answer) for answer in answers} == {models.VolumeAttachment, errors.Conflict}, answers
    eventually(lambda: cloud.volumes.get_volume(data.id), in_use)
    cloud.compute.detach_volume(server.id, volume_id=data.id)
    eventually(lambda: cloud.volumes.get_volume(data.id), available)


def test_a_server_is_stopped_and_started(laboratory: Laboratory, cloud: Cloud) -> None:
    server = laboratory.server()
    assert cloud.compute.stop_server(server.id)
    stopped = eventually(lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "SHUTOFF")
    assert stopped.phase is models.Phase.SETTLED
    with pytest.raises(errors.Conflict):
        cloud.compute.stop_server(server.id)
    cloud.compute.start_server(server.id)
    eventually(lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "ACTIVE")
    cloud.compute.reboot_server(server.id, hard=True)
    assert settled(lambda: cloud.compute.get_server(server.id)).status == "ACTIVE"
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))
    with pytest.raises(errors.NotFound):
        cloud.compute.delete_server(server.id)


def test_a_server_is_resized_and_the_resize_confirmed_or_reverted(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    server, larger = laboratory.server(), laboratory.flavors[LARGER_FLAVOR]

    def resized() -> models.Server:
        request_id = cloud.compute.resize_server(server.id, flavor_id=larger.id)
        assert not cloud.compute.get_action(server.id, request_id=request_id).failed
        return eventually(
            lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "VERIFY_RESIZE"
        )

    assert resized().flavor_id == larger.id
    cloud.compute.revert_resize(server.id)
    back = eventually(lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "ACTIVE")
    assert back.flavor_id == laboratory.flavors[FLAVOR].id

    resized()
    cloud.compute.confirm_resize(server.id)
    kept = eventually(lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "ACTIVE")
    assert kept.flavor_id == larger.id
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))


def test_a_request_to_a_server_is_followed_by_its_id(cloud: Cloud, server: models.Server) -> None:
    request_id = cloud.compute.reboot_server(server.id, hard=True)
    assert request_id.startswith("req-")
    action = eventually(
        lambda: cloud.compute.get_action(server.id, request_id=request_id), lambda seen: seen.finished
    )
    assert (action.name, action.request_id, action.failed) == ("reboot", request_id, False)
    assert settled(lambda: cloud.compute.get_server(server.id)).status == "ACTIVE"
    with pytest.raises(errors.NotFound):
        cloud.compute.get_action(server.id, request_id="req-00000000-0000-4000-8000-000000000000")


def test_a_request_leaves_its_record_before_it_is_answered_and_the_record_outlives_the_server(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    server = laboratory.server()
    request_id = cloud.compute.stop_server(server.id)
    assert cloud.compute.get_action(server.id, request_id=request_id).name == "stop"
    eventually(lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "SHUTOFF")
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))
    kept = cloud.compute.get_action(server.id, request_id=request_id)
    assert (kept.finished, kept.failed) == (True, False)


def test_a_stopped_server_is_started_by_a_hard_reboot_and_refuses_a_soft_one(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    server = laboratory.server()
    cloud.compute.stop_server(server.id)
    eventually(lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "SHUTOFF")
    with pytest.raises(errors.Conflict):
        cloud.compute.reboot_server(server.id)
    cloud.compute.reboot_server(server.id, hard=True)
    eventually(lambda: cloud.compute.get_server(server.id), lambda seen: seen.status == "ACTIVE")
    cloud.compute.delete_server(server.id)
    gone(lambda: cloud.compute.get_server(server.id))


def test_tags_can_be_replaced(laboratory: Laboratory, cloud: Cloud, server: models.Server) -> None:
    extra = laboratory.unique("tag")
    cloud.compute.set_tags(server.id, [*server.tags, extra])
    assert [each.id for each in cloud.compute.find_servers(tag=extra)] == [server.id]
    cloud.compute.set_tags(server.id, server.tags)
    assert cloud.compute.find_servers(tag=extra) == []


def test_a_key_is_registered_once(laboratory: Laboratory, cloud: Cloud) -> None:
    name = laboratory.unique("key")
    assert cloud.compute.find_keypair(name) is None
    key = cloud.compute.create_keypair(name=name, public_key=PUBLIC_KEY)
    try:
        assert cloud.compute.find_keypair(name) == key
        with pytest.raises(errors.Conflict):
            cloud.compute.create_keypair(name=name, public_key=PUBLIC_KEY)
    finally:
        cloud.compute.delete_keypair(name)
    assert cloud.compute.find_keypair(name) is None


def test_something_that_is_no_key_is_refused(laboratory: Laboratory, cloud: Cloud) -> None:
    with pytest.raises(errors.Refused):
        cloud.compute.create_keypair(name=laboratory.unique("key"), public_key="no key at all")


def test_a_running_server_has_a_console(cloud: Cloud, server: models.Server) -> None:
    assert isinstance(cloud.compute.console_output(server.id, lines=5), str)


def test_usage_counts_a_running_server(
    laboratory: Laboratory, operator: Cloud, server: models.Server
) -> None:
    now = datetime.now(UTC)
    records = operator.compute.usage(
        laboratory.project.id, start=now - timedelta(hours=1), end=now + timedelta(hours=1)
    )
    mine = next(record for record in records if record.server_id == server.id)
    assert (mine.vcpus, mine.state, mine.ended_at) == (laboratory.flavors[FLAVOR].vcpus, "active", None)
    assert mine.hours > 0
    assert mine.started_at is not None


def test_limits_and_zones_are_told(cloud: Cloud, server: models.Server) -> None:
    assert cloud.compute.limits()["totalCoresUsed"] >= 1
    assert any(cloud.compute.zones().values())
    assert server.zone in cloud.compute.zones()
