import pytest

from tests.integration.sandbox.process import (
    Sandbox,
    boot_volume,
    from_volume,
    ready_volume,
    refused,
    running_server,
)


def post(cloud, path, microversion="3.60", **json):
    return cloud.block_storage.post(path, json=json, microversion=microversion)


def act(cloud, volume, microversion="3.60", **action):
    return post(cloud, f"/volumes/{volume.id}/action", microversion, **action)


def backup(cloud, volume, **asked):
    made = cloud.block_storage.create_backup(volume_id=volume.id, **asked)
    return cloud.block_storage.get_backup(made.id)


def test_a_volume_is_made_in_the_background(sandbox: Sandbox, cloud):
    sandbox.control("PUT", "/timing", volume_seconds=30)
    volume = cloud.block_storage.create_volume(size=1, volume_type="sas", metadata={"unit": "u1"})
    assert (volume.status, volume.volume_type, volume.metadata) == ("creating", "sas", {"unit": "u1"})
    assert refused(cloud.block_storage.delete(f"/volumes/{volume.id}"))[0] == 400


def test_volumes_are_found_by_their_metadata(cloud):
    volume = ready_volume(cloud, metadata={"unit": "u1", "more": "x"})
    ready_volume(cloud, metadata={"unit": "u2"})
    for text in ("{'unit': 'u1'}", '{"unit": "u1"}'):
        found = cloud.block_storage.get("/volumes/detail", params={"metadata": text}).json()["volumes"]
        assert [each["id"] for each in found] == [volume.id]


def test_a_volume_from_an_image_boots_and_says_which(cloud):
    volume = boot_volume(cloud)
    assert volume.is_bootable
    assert volume.volume_image_metadata["image_name"] == "debian-12"
    assert not ready_volume(cloud).is_bootable


@pytest.mark.parametrize("size", [0, -1, "much"])
def test_a_bad_size_is_refused(cloud, size):
    assert refused(post(cloud, "/volumes", volume={"size": size}))[:2] == (400, "badRequest")


def test_an_unknown_type_is_not_found(cloud):
    assert refused(post(cloud, "/volumes", volume={"size": 1, "volume_type": "gold"}))[:2] == (
        404,
        "itemNotFound",
    )


def test_over_quota_is_413_and_asks_to_come_back_at_once(sandbox: Sandbox, admin, cloud):
    sandbox.quota(admin, cloud.current_project_id, volume={"volumes": 2, "gigabytes": 10})
    answer = post(cloud, "/volumes", volume={"size": 11})
    assert refused(answer) == (
        413,
        "overLimit",
        (
            "Requested volume or snapshot exceeds allowed gigabytes quota. "
            "Requested 11G, quota is 10G and 0G has been consumed."
        ),
    )
    assert answer.headers["Retry-After"] == "0"
    ready_volume(cloud)
    ready_volume(cloud)
    answer = post(cloud, "/volumes", volume={"size": 1})
    assert refused(answer)[2] == "Maximum number of volumes allowed (2) exceeded for quota 'volumes'."


def test_a_limit_of_one_type_is_kept(sandbox: Sandbox, admin, cloud):
    sandbox.quota(admin, cloud.current_project_id, volume={"gigabytes_ssd": 5})
    assert post(cloud, "/volumes", volume={"size": 6, "volume_type": "ssd"}).status_code == 413
    assert post(cloud, "/volumes", volume={"size": 6, "volume_type": "sas"}).status_code == 202


def test_a_volume_grows_and_never_shrinks(sandbox: Sandbox, admin, cloud):
    volume = ready_volume(cloud, size=5)
    cloud.block_storage.extend_volume(volume, 8)
    assert cloud.block_storage.get_volume(volume.id).size == 8
    assert (
        "must be greater than current size"
        in refused(act(cloud, volume, **{"os-extend": {"new_size": 8}}))[2]
    )
    sandbox.quota(admin, cloud.current_project_id, volume={"gigabytes": 10})
    assert act(cloud, volume, **{"os-extend": {"new_size": 11}}).status_code == 413
    assert cloud.block_storage.get_volume(volume.id).status == "available"


def test_a_volume_in_use_grows_from_3_42_on(cloud):
    volume = boot_volume(cloud)
    running_server(cloud, block_device_mapping=from_volume(volume))
    early = act(cloud, volume, "3.41", **{"os-extend": {"new_size": 3}})
    assert "status must be '{'status': 'available'}' to extend, currently in-use" in refused(early)[2]
    assert act(cloud, volume, "3.42", **{"os-extend": {"new_size": 3}}).status_code == 202
    grown = cloud.block_storage.get_volume(volume.id)
    assert (grown.size, grown.status) == (3, "in-use")


def test_a_volume_with_snapshots_stays_until_they_go(cloud):
    volume = ready_volume(cloud)
    snapshot = cloud.block_storage.create_snapshot(volume_id=volume.id)
    assert cloud.block_storage.get_snapshot(snapshot.id).status == "available"
    assert "have snapshots" in refused(cloud.block_storage.delete(f"/volumes/{volume.id}"))[2]
    copy = ready_volume(cloud, snapshot_id=snapshot.id, size=2)
    assert copy.size == 2
    assert cloud.block_storage.delete(f"/volumes/{volume.id}?cascade=true").status_code == 202
    assert cloud.block_storage.find_volume(volume.id) is None
    assert cloud.block_storage.get(f"/snapshots/{snapshot.id}").status_code == 404


def test_an_attached_volume_is_not_deleted(cloud):
    volume = boot_volume(cloud)
    running_server(cloud, block_device_mapping=from_volume(volume))
    assert refused(cloud.block_storage.delete(f"/volumes/{volume.id}"))[0] == 400


def test_a_reservation_by_hand_is_given_back(cloud):
    volume = ready_volume(cloud)
    made = post(cloud, "/attachments", attachment={"volume_uuid": volume.id, "instance_uuid": "x"}).json()
    assert cloud.block_storage.get_volume(volume.id).status == "reserved"
    cloud.block_storage.delete(f"/attachments/{made['attachment']['id']}", microversion="3.60")
    assert cloud.block_storage.get_volume(volume.id).status == "available"


def test_a_backup_and_its_incremental(cloud):
    volume = ready_volume(cloud, size=2)
    full = backup(cloud, volume, name="full")
    child = backup(cloud, volume, name="child", is_incremental=True)
    assert [(each.status, each.is_incremental, each.size) for each in (full, child)] == [
        ("available", False, 2),
        ("available", True, 2),
    ]
    assert cloud.block_storage.get_backup(full.id).has_dependent_backups
    refusal = refused(cloud.block_storage.delete(f"/backups/{full.id}"))
    assert refusal[2] == "Invalid backup: Incremental backups exist for this backup."


def test_an_incremental_needs_a_full_backup_first(cloud):
    volume = ready_volume(cloud)
    answer = post(cloud, "/backups", backup={"volume_id": volume.id, "incremental": True})
    assert refused(answer)[2] == "Invalid backup: No backups available to do an incremental backup."


def test_an_incremental_fails_after_the_volume_grew(cloud):
    volume = ready_volume(cloud)
    backup(cloud, volume)
    cloud.block_storage.extend_volume(volume, 2)
    failed = backup(cloud, cloud.block_storage.get_volume(volume.id), is_incremental=True)
    assert (failed.status, failed.fail_reason) == (
        "error",
        "Volume size increased since the last backup. Do a full backup.",
    )
    assert cloud.block_storage.get_volume(volume.id).status == "available"


def test_an_incremental_counts_the_full_size_against_the_quota(sandbox: Sandbox, admin, cloud):
    sandbox.quota(admin, cloud.current_project_id, volume={"backup_gigabytes": 5})
    volume = ready_volume(cloud, size=2)
    backup(cloud, volume)
    backup(cloud, volume, is_incremental=True)
    answer = post(cloud, "/backups", backup={"volume_id": volume.id, "incremental": True})
    assert refused(answer) == (
        413,
        "overLimit",
        "Requested backup exceeds allowed Backup gigabytes quota. Requested 2G, quota is 5G and 4G has been consumed.",
    )


def test_a_volume_in_use_is_backed_up_by_force_only(cloud):
    volume = boot_volume(cloud)
    running_server(cloud, block_device_mapping=from_volume(volume))
    answer = post(cloud, "/backups", backup={"volume_id": volume.id})
    assert refused(answer)[2] == "Invalid volume: Backing up an in-use volume must use the force flag."
    assert backup(cloud, volume, force=True).status == "available"
    assert cloud.block_storage.get_volume(volume.id).status == "in-use"


def test_a_backup_is_restored_into_a_new_volume_that_boots_like_the_old(cloud):
    made = backup(cloud, boot_volume(cloud, size=2))
    answer = post(cloud, f"/backups/{made.id}/restore", restore={"name": "again"}).json()["restore"]
    restored = cloud.block_storage.get_volume(answer["volume_id"])
    assert (restored.name, restored.size, restored.status, restored.is_bootable) == (
        "again",
        2,
        "available",
        True,
    )
    small = ready_volume(cloud, size=1)
    answer = post(cloud, f"/backups/{made.id}/restore", restore={"volume_id": small.id})
    assert "is too small to restore backup" in refused(answer)[2]


def test_pools_tell_the_room_left(admin, cloud):
    def free() -> float:
        return next(
            p for p in admin.block_storage.backend_pools() if p.name == "sandbox@sas#pool"
        ).capabilities["free_capacity_gb"]

    before = free()
    ready_volume(cloud, size=100, volume_type="sas")
    assert free() == before - 100


def test_an_image_with_an_id_of_our_own(cloud):
    image_id = "11111111-2222-4333-8444-555555555555"
    asked = {"id": image_id, "name": "mine", "disk_format": "raw", "container_format": "bare"}
    assert cloud.image.post("/images", json=asked).status_code == 201
    assert cloud.image.post("/images", json=asked).status_code == 409
    answer = cloud.image.put(
        f"/images/{image_id}/file",
        data=b"x" * 3_000_000,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert answer.status_code == 204
    image = cloud.image.get_image(image_id)
    assert (image.status, image.size) == ("active", 3_000_000)
    assert cloud.image.download_image(image_id).content == b"x" * 3_000_000
    assert cloud.image.put(f"/images/{image_id}/file", data=b"y").status_code == 409
    cloud.image.delete_image(image_id)
    assert cloud.image.find_image("mine") is None
