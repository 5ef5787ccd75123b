"""Backups and what they give back."""

import pytest

from govcloud.gateways.openstack import Cloud, errors, models
from tests.openstack.laboratory import Laboratory, gone, settled


def backed_up(laboratory: Laboratory, volume_id: str, *, incremental: bool = False) -> models.Backup:
    accepted = laboratory.cloud.backups.create_backup(
        volume_id=volume_id,
        name=laboratory.unique("backup"),
        incremental=incremental,
        metadata={"plan": "p-1"},
    )
    assert accepted.request_id
    backup = settled(lambda: laboratory.cloud.backups.get_backup(accepted.id))
    assert backup.status == "available", backup
    settled(lambda: laboratory.cloud.volumes.get_volume(volume_id))
    return backup


def test_a_backup_tells_what_it_holds(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    backup = backed_up(laboratory, volume.id)
    assert (backup.volume_id, backup.size_gib, backup.incremental) == (volume.id, 1, False)
    assert backup.metadata == {"plan": "p-1"}
    assert backup.data_at is not None
    assert [each.id for each in cloud.backups.find_backups(volume_id=volume.id)] == [backup.id]
    assert [each.id for each in cloud.backups.find_backups(name=backup.name)] == [backup.id]


def test_an_incremental_needs_a_full_backup(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    with pytest.raises(errors.CloudError) as refusal:
        cloud.backups.create_backup(volume_id=volume.id, name="early", incremental=True)
    assert refusal.value.status == 400
    assert cloud.backups.find_backups(volume_id=volume.id) == []


def test_an_incremental_holds_its_parent(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    full = backed_up(laboratory, volume.id)
    child = backed_up(laboratory, volume.id, incremental=True)
    assert child.incremental
    assert cloud.backups.get_backup(full.id).has_dependents
    with pytest.raises(errors.CloudError) as refusal:
        cloud.backups.delete_backup(full.id)
    assert refusal.value.status == 400
    cloud.backups.delete_backup(child.id)
    gone(lambda: cloud.backups.get_backup(child.id))
    cloud.backups.delete_backup(full.id)
    gone(lambda: cloud.backups.get_backup(full.id))


def test_an_incremental_charges_the_full_size(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    backed_up(laboratory, volume.id)
    before = cloud.volumes.limits()["totalBackupGigabytesUsed"]
    backed_up(laboratory, volume.id, incremental=True)
    assert cloud.volumes.limits()["totalBackupGigabytesUsed"] == before + volume.size_gib


def test_a_backup_is_restored_to_a_new_volume(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    backup = backed_up(laboratory, volume.id)
    name = laboratory.unique("restored")
    restore = cloud.backups.restore_backup(backup.id, name=name)
    restored = settled(lambda: cloud.volumes.get_volume(restore.volume_id))
    assert restored.id != volume.id
    assert (restored.status, restored.size_gib, restored.name) == ("available", 1, name)
    assert settled(lambda: cloud.backups.get_backup(backup.id)).status == "available"


def test_which_backup_was_written_over_a_volume_is_told_where_another_was_named_before(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    source, other = laboratory.volume(), laboratory.volume()
    backup = backed_up(laboratory, source.id)

    def told(volume_id: str) -> str | None:
        cloud.backups.restore_backup(backup.id, volume_id=volume_id)
        settled(lambda: cloud.backups.get_backup(backup.id))
        return settled(lambda: cloud.volumes.get_volume(volume_id)).metadata.get("src_backup_id")

    assert told(source.id) is None  # its own, and nothing was there
    assert told(other.id) == backup.id
    cloud.volumes.set_metadata(source.id, {"src_backup_id": "gc-mark"})
    assert cloud.volumes.get_volume(source.id).metadata["src_backup_id"] == "gc-mark"
    assert told(source.id) == backup.id


def test_a_backup_that_is_being_restored_is_neither_deleted_nor_restored_again(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    source, other = laboratory.volume(), laboratory.volume()
    backup = backed_up(laboratory, source.id)
    cloud.backups.restore_backup(backup.id, volume_id=source.id)
    for refused in (
        lambda: cloud.backups.restore_backup(backup.id, volume_id=other.id),
        lambda: cloud.backups.delete_backup(backup.id),
    ):
        with pytest.raises(errors.CloudError) as refusal:
            refused()
        assert refusal.value.status == 400
    settled(lambda: cloud.volumes.get_volume(source.id))
    settled(lambda: cloud.backups.get_backup(backup.id))


def test_a_backup_is_restored_over_an_existing_volume(laboratory: Laboratory, cloud: Cloud) -> None:
    source, target = laboratory.volume(), laboratory.volume(kept="metadata")
    backup = backed_up(laboratory, source.id)
    restore = cloud.backups.restore_backup(backup.id, volume_id=target.id)
    assert restore.volume_id == target.id
    restored = settled(lambda: cloud.volumes.get_volume(target.id))
    assert restored.status == "available"
    assert restored.metadata["kept"] == "metadata"


def test_a_restore_to_too_small_a_volume_is_refused(laboratory: Laboratory, cloud: Cloud) -> None:
    source, target = laboratory.volume(size_gib=2), laboratory.volume()
    backup = backed_up(laboratory, source.id)
    with pytest.raises(errors.CloudError) as refusal:
        cloud.backups.restore_backup(backup.id, volume_id=target.id)
    assert refusal.value.status == 400
    assert cloud.volumes.get_volume(target.id).status == "available"


def test_a_volume_in_use_is_backed_up_by_force_only(
    laboratory: Laboratory, cloud: Cloud, server: models.Server
) -> None:
    boot = server.volume_ids[0]
    with pytest.raises(errors.Conflict):
        cloud.backups.create_backup(volume_id=boot, name="without force")
    accepted = cloud.backups.create_backup(volume_id=boot, name=laboratory.unique("backup"), force=True)
    assert settled(lambda: cloud.backups.get_backup(accepted.id)).status == "available"
    assert settled(lambda: cloud.volumes.get_volume(boot)).status == "in-use"


def test_after_a_volume_grew_an_incremental_fails_and_a_full_backup_does_not(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    volume = laboratory.volume()
    backed_up(laboratory, volume.id)
    cloud.volumes.extend_volume(volume.id, size_gib=2)
    assert settled(lambda: cloud.volumes.get_volume(volume.id)).size_gib == 2
    accepted = cloud.backups.create_backup(
        volume_id=volume.id, name=laboratory.unique("backup"), incremental=True
    )
    late = settled(lambda: cloud.backups.get_backup(accepted.id))
    assert late.phase is models.Phase.FAILED
    assert late.fail_reason
    full = backed_up(laboratory, volume.id)
    assert full.size_gib == 2
