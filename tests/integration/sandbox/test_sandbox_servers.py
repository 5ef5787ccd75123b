from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.integration.sandbox.process import (
    Sandbox,
    boot_volume,
    from_volume,
    network,
    ready_volume,
    refused,
    running_server,
)

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lP0hVNC9h8UO8mHWcZ8pP9c test"


def server_body(cloud, volume, **more):
    flavor = cloud.compute.find_flavor("g.2c4g")
    body = {
        "name": "web",
        "flavorRef": flavor.id,
        "networks": "none",
        "block_device_mapping_v2": from_volume(volume),
    }
    return {"server": body | more}


def post_server(cloud, volume, **more):
    return cloud.compute.post("/servers", json=server_body(cloud, volume, **more), microversion="2.96")


def test_a_server_is_built_in_the_background(sandbox: Sandbox, cloud):
    sandbox.control("PUT", "/timing", build_seconds=30)
    answer = post_server(cloud, boot_volume(cloud))
    assert answer.status_code == 202
    assert answer.json()["server"]["adminPass"]
    server = cloud.compute.get_server(answer.json()["server"]["id"])
    assert (server.status, server.task_state, server.vm_state) == ("BUILD", "scheduling", "building")


def test_of_many_servers_from_one_volume_exactly_one_is_accepted(cloud):
    for _ in range(5):
        volume = boot_volume(cloud)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: post_server(cloud, volume), range(8)))  # noqa: B023
        assert sorted(answer.status_code for answer in answers) == [202] + [400] * 7
        for answer in answers:
            if answer.status_code == 400:
                _, kind, message = refused(answer)
                assert kind == "badRequest"
                assert message.startswith("Invalid input received: Invalid volume: ")
                assert (
                    "status must be available or downloading to reserve, but the current status is" in message
                )
        [attachment] = cloud.block_storage.attachments(volume_id=volume.id)
        winner = next(answer.json()["server"]["id"] for answer in answers if answer.status_code == 202)
        assert attachment.instance == winner


def test_a_refused_server_lets_go_of_the_volumes_it_had_reserved(cloud):
    free, taken = boot_volume(cloud), boot_volume(cloud)
    running_server(cloud, block_device_mapping=from_volume(taken))
    mapping = [*from_volume(free), from_volume(taken)[0] | {"boot_index": 1}]
    assert post_server(cloud, free, block_device_mapping_v2=mapping).status_code == 400
    assert cloud.block_storage.get_volume(free.id).status == "available"
    assert list(cloud.block_storage.attachments(volume_id=free.id)) == []


def test_a_running_server_shows_its_volumes_and_tags(cloud):
    volume = boot_volume(cloud)
    server = running_server(
        cloud, block_device_mapping=from_volume(volume, delete=True), tags=["unit:1", "a"]
    )
    assert (server.status, server.power_state, server.tags) == ("ACTIVE", 1, ["a", "unit:1"])
    assert [(each.id, each.delete_on_termination) for each in server.attached_volumes] == [(volume.id, True)]
    held = cloud.block_storage.get_volume(volume.id)
    assert (held.status, held.attachments[0]["device"], held.attachments[0]["server_id"]) == (
        "in-use",
        "/dev/vda",
        server.id,
    )


def test_servers_are_found_by_tag(cloud):
    server = running_server(cloud, tags=["unit:1", "both"])
    other = running_server(cloud, tags=["unit:2", "both"])
    assert [each.id for each in cloud.compute.servers(tags="unit:1")] == [server.id]
    assert {each.id for each in cloud.compute.servers(tags="both")} == {server.id, other.id}
    assert [each.id for each in cloud.compute.servers(not_tags="unit:1")] == [other.id]
    assert {each.id for each in cloud.compute.servers(tags_any="unit:1,unit:2")} == {server.id, other.id}


def test_tags_need_microversion_2_52(cloud):
    body = server_body(cloud, boot_volume(cloud), tags=["a"])
    answer = cloud.compute.post("/servers", json=body, microversion="2.51")
    assert "'tags' was unexpected" in refused(answer)[2]
    assert "tags" not in cloud.compute.get("/servers/detail", microversion="2.25").json()


def test_a_version_nobody_has_is_not_acceptable(cloud):
    answer = cloud.compute.get("/servers", headers={"OpenStack-API-Version": "compute 2.999"})
    assert answer.status_code == 406


def test_names_are_searched_for_as_patterns(cloud):
    running_server(cloud, name="app-1")
    running_server(cloud, name="app-10")
    assert len(list(cloud.compute.servers(name="app-1"))) == 2
    assert [each.name for each in cloud.compute.servers(name="^app-1$")] == ["app-1"]


def test_the_end_of_a_server_frees_or_deletes_its_volumes(cloud):
    kept, dropped = boot_volume(cloud), boot_volume(cloud)
    for volume, delete in ((kept, False), (dropped, True)):
        server = running_server(cloud, block_device_mapping=from_volume(volume, delete=delete))
        cloud.compute.delete_server(server)
        assert cloud.compute.find_server(server.id) is None
    assert cloud.block_storage.get_volume(kept.id).status == "available"
    assert cloud.block_storage.find_volume(dropped.id) is None


def test_deleted_servers_are_seen_by_changes_since(cloud):
    before = datetime.now(UTC) - timedelta(seconds=5)
    server = running_server(cloud)
    cloud.compute.delete_server(server)
    assert list(cloud.compute.servers()) == []
    [seen] = cloud.compute.servers(changes_since=before.isoformat())
    assert (seen.id, seen.status) == (server.id, "DELETED")
    assert list(cloud.compute.servers(changes_since=(before + timedelta(hours=1)).isoformat())) == []


def test_nova_refuses_more_than_the_quota_with_403(sandbox: Sandbox, admin, cloud):
    sandbox.quota(admin, cloud.current_project_id, compute={"cores": 3})
    running_server(cloud)
    volume = boot_volume(cloud)
    assert refused(post_server(cloud, volume)) == (
        403,
        "forbidden",
        "Quota exceeded for cores: Requested 2, but already used 2 of 3 cores",
    )
    assert cloud.block_storage.get_volume(volume.id).status == "available"
    limits = cloud.compute.get("/limits").json()["limits"]["absolute"]
    assert (limits["maxTotalCores"], limits["totalCoresUsed"], limits["totalInstancesUsed"]) == (3, 2, 1)


def test_a_quota_below_its_use_needs_force(sandbox: Sandbox, admin, cloud):
    running_server(cloud)
    path = f"/os-quota-sets/{cloud.current_project_id}"
    answer = admin.compute.put(path, json={"quota_set": {"cores": 1}})
    assert refused(answer)[2].startswith(
        "Quota limit 1 for cores must be greater than or equal to already used"
    )
    assert admin.compute.put(path, json={"quota_set": {"cores": 1, "force": True}}).status_code == 200
    detail = admin.compute.get(f"{path}/detail").json()["quota_set"]["cores"]
    assert detail == {"limit": 1, "in_use": 2, "reserved": 0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flavorRef": "none"}, "Flavor none could not be found."),
        ({"key_name": "none"}, "Invalid key_name provided."),
        ({"networks": [{"uuid": "none"}]}, "Network none could not be found."),
        ({"networks": [{"port": "none"}]}, "Port id none could not be found."),
        ({"block_device_mapping_v2": []}, "Block Device Mapping is Invalid: Boot sequence"),
    ],
)
def test_what_does_not_exist_is_a_bad_request(cloud, change, message):
    answer = post_server(cloud, boot_volume(cloud), **change)
    status, kind, text = refused(answer)
    assert (status, kind) == (400, "badRequest")
    assert text.startswith(message)


def test_a_volume_without_an_image_does_not_boot(cloud):
    volume = ready_volume(cloud)
    assert refused(post_server(cloud, volume))[2] == f"Block Device {volume.id} is not bootable."


def test_a_port_in_use_is_a_conflict_and_an_address_in_use_a_bad_request(cloud):
    net, _ = network(cloud)
    port = cloud.network.create_port(network_id=net.id, fixed_ips=[{"ip_address": "10.1.0.7"}])
    server = running_server(cloud, networks=[{"port": port.id}])
    answer = post_server(cloud, boot_volume(cloud), networks=[{"port": port.id}])
    assert refused(answer) == (409, "conflictingRequest", f"Port {port.id} is still in use.")
    answer = post_server(cloud, boot_volume(cloud), networks=[{"uuid": net.id, "fixed_ip": "10.1.0.7"}])
    assert refused(answer)[2] == f"Fixed IP address 10.1.0.7 is already in use on instance {server.id}."


def test_a_server_is_stopped_started_and_rebooted(cloud):
    server = running_server(cloud)
    cloud.compute.stop_server(server)
    assert cloud.compute.get_server(server.id).status == "SHUTOFF"
    answer = cloud.compute.post(f"/servers/{server.id}/action", json={"os-stop": None})
    assert refused(answer)[2] == f"Cannot 'stop' instance {server.id} while it is in vm_state stopped"
    cloud.compute.start_server(server)
    assert cloud.compute.get_server(server.id).status == "ACTIVE"
    cloud.compute.reboot_server(server, "SOFT")
    assert cloud.compute.get_server(server.id).status == "ACTIVE"


def test_a_task_in_progress_refuses_another(sandbox: Sandbox, cloud):
    server = running_server(cloud)
    sandbox.control("PUT", "/timing", action_seconds=30)
    cloud.compute.reboot_server(server, "HARD")
    assert cloud.compute.get_server(server.id).status == "HARD_REBOOT"
    answer = cloud.compute.post(f"/servers/{server.id}/action", json={"os-stop": None})
    assert refused(answer)[:2] == (409, "conflictingRequest")
    assert "while it is in task_state rebooting_hard" in refused(answer)[2]


def test_a_resize_is_confirmed_or_reverted(cloud):
    server, larger = running_server(cloud), cloud.compute.find_flavor("g.4c8g")
    cloud.compute.resize_server(server, larger.id)
    assert cloud.compute.get_server(server.id).status == "VERIFY_RESIZE"
    cloud.compute.revert_server_resize(server)
    back = cloud.compute.get_server(server.id)
    assert (back.status, back.flavor.vcpus) == ("ACTIVE", 2)
    cloud.compute.resize_server(server, larger.id)
    assert cloud.compute.get_server(server.id).status == "VERIFY_RESIZE"
    cloud.compute.confirm_server_resize(server)
    kept = cloud.compute.get_server(server.id)
    assert (kept.status, kept.flavor.vcpus, kept.flavor.name) == ("ACTIVE", 4, "g.4c8g")


def test_a_volume_is_attached_and_detached(cloud):
    server, volume = running_server(cloud), ready_volume(cloud)
    attachment = cloud.compute.create_volume_attachment(server, volume_id=volume.id)
    assert attachment.device == "/dev/vdb"
    assert cloud.block_storage.get_volume(volume.id).status == "in-use"
    other = running_server(cloud)
    answer = cloud.compute.post(
        f"/servers/{other.id}/os-volume_attachments", json={"volumeAttachment": {"volumeId": volume.id}}
    )
    assert answer.status_code == 400
    assert "to reserve, but the current status is in-use" in refused(answer)[2]
    cloud.compute.delete_volume_attachment(server, volume.id)
    assert cloud.block_storage.get_volume(volume.id).status == "available"
    answer = cloud.compute.delete(f"/servers/{server.id}/os-volume_attachments/{volume.id}")
    assert answer.status_code == 404


def test_the_root_volume_stays(cloud):
    volume = boot_volume(cloud)
    server = running_server(cloud, block_device_mapping=from_volume(volume))
    answer = cloud.compute.delete(f"/servers/{server.id}/os-volume_attachments/{volume.id}")
    assert answer.status_code == 400
    answer = cloud.block_storage.delete(
        f"/attachments/{cloud.block_storage.get_volume(volume.id).attachments[0]['attachment_id']}",
        microversion="3.27",
    )
    assert answer.status_code == 409


def test_a_server_from_an_image_makes_its_own_volume_if_asked(cloud):
    image = cloud.image.find_image("debian-12")
    mapping = [
        {
            "uuid": image.id,
            "source_type": "image",
            "destination_type": "volume",
            "boot_index": 0,
            "volume_size": 3,
            "delete_on_termination": True,
        }
    ]
    server = running_server(cloud, block_device_mapping=mapping)
    [volume] = cloud.block_storage.volumes()
    assert (volume.size, volume.status, volume.is_bootable) == (3, "in-use", True)
    cloud.compute.delete_server(server)
    assert cloud.compute.find_server(server.id) is None
    assert list(cloud.block_storage.volumes()) == []


def test_lists_come_in_pages(cloud):
    servers = [running_server(cloud, name=f"web-{number}").id for number in range(5)]
    first = cloud.compute.get("/servers?limit=2").json()
    assert [each["id"] for each in first["servers"]] == servers[:2:-1]
    assert f"marker={servers[3]}" in first["servers_links"][0]["href"]
    assert [each.id for each in cloud.compute.servers(limit=2)] == servers[::-1]
    assert refused(cloud.compute.get("/servers?marker=none")) == (
        400,
        "badRequest",
        "marker [none] not found",
    )


def test_a_key_pair_belongs_to_its_user(cloud):
    made = cloud.compute.create_keypair(name="mine", public_key=PUBLIC_KEY)
    assert made.fingerprint
    answer = cloud.compute.post("/os-keypairs", json={"keypair": {"name": "mine", "public_key": PUBLIC_KEY}})
    assert refused(answer) == (409, "conflictingRequest", "Key pair 'mine' already exists.")
    answer = cloud.compute.post("/os-keypairs", json={"keypair": {"name": "bad", "public_key": "no key"}})
    assert answer.status_code == 400
    cloud.compute.delete_keypair(made)
    assert cloud.compute.find_keypair("mine") is None


def test_usage_is_counted_from_launch_to_end(admin, cloud):
    server = running_server(cloud)
    cloud.compute.delete_server(server)
    now = datetime.now(UTC).replace(tzinfo=None)
    query = f"start={(now - timedelta(hours=1)).isoformat()}&end={(now + timedelta(hours=1)).isoformat()}"
    path = f"/os-simple-tenant-usage/{cloud.current_project_id}?{query}"
    [entry] = admin.compute.get(path).json()["tenant_usage"]["server_usages"]
    assert (entry["instance_id"], entry["state"], entry["vcpus"]) == (server.id, "terminated", 2)


def test_placement_counts_what_the_servers_take(admin, cloud):
    def used() -> int:
        paths = [f"/resource_providers/{row.id}/usages" for row in admin.placement.resource_providers()]
        return sum(admin.placement.get(path).json()["usages"]["VCPU"] for path in paths)

    before = used()
    running_server(cloud, flavor="g.8c16g")
    assert used() == before + 8
    total = sum(
        admin.placement.get(f"/resource_providers/{row.id}/inventories").json()["inventories"]["VCPU"][
            "total"
        ]
        for row in admin.placement.resource_providers()
    )
    assert total > 20_000


def test_the_history_tells_how_a_request_went_on(sandbox: Sandbox, cloud):
    server, larger = running_server(cloud), cloud.compute.find_flavor("g.4c8g")
    sandbox.fault(action="build_error", service="compute", method="POST", path="/action", times=1)
    answer = cloud.compute.post(f"/servers/{server.id}/action", json={"resize": {"flavorRef": larger.id}})
    request_id = answer.headers["x-openstack-request-id"]
    action = cloud.compute.get(f"/servers/{server.id}/os-instance-actions/{request_id}").json()[
        "instanceAction"
    ]
    assert (action["action"], action["message"], action["events"][0]["result"]) == (
        "resize",
        "Error",
        "Error",
    )
    assert cloud.compute.get_server(server.id).flavor.vcpus == 2


def test_a_resize_that_finds_no_host_leaves_the_server_as_it_was(sandbox: Sandbox, cloud):
    server, larger = running_server(cloud), cloud.compute.find_flavor("g.4c8g")
    sandbox.control("POST", f"/rows/server/{server.id}", availability_zone="full")
    answer = cloud.compute.post(f"/servers/{server.id}/action", json={"resize": {"flavorRef": larger.id}})
    assert answer.status_code == 202
    request_id = answer.headers["x-openstack-request-id"]
    seen = cloud.compute.get_server(server.id)
    assert (seen.status, seen.flavor.vcpus, seen.fault) == ("ACTIVE", 2, None)
    action = cloud.compute.get(f"/servers/{server.id}/os-instance-actions/{request_id}").json()
    assert action["instanceAction"]["message"] == "Error"


def test_another_image_on_a_boot_volume_needs_microversion_2_93(cloud):
    volume = boot_volume(cloud)
    server = running_server(cloud, block_device_mapping=from_volume(volume))
    other = cloud.image.find_image("openeuler-24.03")
    path, asked = f"/servers/{server.id}/action", {"rebuild": {"imageRef": other.id}}
    assert refused(cloud.compute.post(path, json=asked, microversion="2.92"))[2] == (
        "Unable to rebuild with a different image for a volume-backed server."
    )
    assert cloud.compute.post(path, json=asked, microversion="2.93").status_code == 202
    written = cloud.block_storage.get_volume(volume.id)
    assert (written.status, written.volume_image_metadata["image_id"]) == ("in-use", other.id)


def test_a_rebuild_that_fails_leaves_the_server_and_its_volume_in_error(sandbox: Sandbox, cloud):
    volume = boot_volume(cloud)
    server = running_server(cloud, block_device_mapping=from_volume(volume))
    sandbox.fault(action="build_error", service="compute", method="POST", path="/action", times=1)
    asked = {"rebuild": {"imageRef": cloud.image.find_image("debian-12").id}}
    cloud.compute.post(f"/servers/{server.id}/action", json=asked, microversion="2.93")
    seen = cloud.compute.get_server(server.id)
    assert (seen.status, "Failed to rebuild" in seen.fault["message"]) == ("ERROR", True)
    assert cloud.block_storage.get_volume(volume.id).status == "error"


def test_a_console_opens_for_whoever_has_its_link_and_for_ten_minutes(sandbox: Sandbox, cloud):
    server = running_server(cloud)
    asked = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    answer = cloud.compute.post(f"/servers/{server.id}/remote-consoles", json=asked, microversion="2.6")
    url = answer.json()["remote_console"]["url"]
    assert "login:" in requests.get(url, timeout=10).text
    page, _, token = url.partition("?token=")
    assert requests.get(page, timeout=10).status_code == 403
    assert requests.get(f"{page}?token={token}x", timeout=10).status_code == 403
    sandbox.control("POST", f"/rows/console_token/{token}", until="2020-01-01T00:00:00+00:00")
    assert requests.get(url, timeout=10).status_code == 403
