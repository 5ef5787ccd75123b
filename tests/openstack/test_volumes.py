"""Volumes: found by what we wrote on them, grown, snapshotted, deleted."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from govcloud.gateways.openstack import Cloud, errors, models
from tests.openstack.laboratory import VOLUME_TYPE, Laboratory, eventually, gone, hand_over, settled

OTHER_TYPE = "sas"
ABSENT = "00000000-0000-4000-8000-000000000000"


def test_a_volume_moves_and_settles(laboratory: Laboratory, cloud: Cloud) -> None:
    made = cloud.volumes.create_volume(
        name=laboratory.unique("volume"), size_gib=1, volume_type=VOLUME_TYPE, metadata={"unit": "u-1"}
    )
    assert made.phase is models.Phase.MOVING
    volume = settled(lambda: cloud.volumes.get_volume(made.id))
    assert (volume.status, volume.size_gib, volume.volume_type) == ("available", 1, VOLUME_TYPE)
    assert volume.phase is models.Phase.SETTLED
    assert not volume.bootable
    assert volume.created_at is not None


def test_a_member_finds_volumes_by_metadata(laboratory: Laboratory, cloud: Cloud) -> None:
    unit = laboratory.unique("unit")
    volume = laboratory.volume(unit=unit, order="GC-1")
    laboratory.volume(unit=laboratory.unique("unit"), order="GC-1")
    assert [each.id for each in cloud.volumes.find_volumes(metadata={"unit": unit})] == [volume.id]
    assert [each.id for each in cloud.volumes.find_volumes(metadata={"unit": unit, "order": "GC-1"})] == [
        volume.id
    ]
    assert cloud.volumes.find_volumes(metadata={"unit": unit, "order": "GC-2"}) == []
    assert cloud.volumes.find_volumes(metadata={"unit": "none such"}) == []


def test_metadata_that_was_added_is_found(laboratory: Laboratory, cloud: Cloud) -> None:
    volume, unit = laboratory.volume(kept="yes"), laboratory.unique("unit")
    cloud.volumes.set_metadata(volume.id, {"unit": unit})
    assert [each.metadata for each in cloud.volumes.find_volumes(metadata={"unit": unit})] == [
        {"kept": "yes", "unit": unit}
    ]


def test_a_volume_from_an_image_is_bootable(laboratory: Laboratory) -> None:
    assert laboratory.volume(image_id=laboratory.image.id).bootable


def test_a_volume_too_small_for_its_image_is_refused(laboratory: Laboratory, cloud: Cloud) -> None:
    with pytest.raises(errors.Refused):
        cloud.volumes.create_volume(
            name="small", size_gib=0, volume_type=VOLUME_TYPE, metadata={}, image_id=laboratory.image.id
        )


def test_an_unknown_volume_type_is_refused(cloud: Cloud) -> None:
    assert VOLUME_TYPE in {kind.name for kind in cloud.volumes.volume_types()}
    with pytest.raises((errors.NotFound, errors.Refused)):
        cloud.volumes.create_volume(name="odd", size_gib=1, volume_type="no such class", metadata={})


def test_a_volume_grows_and_does_not_shrink(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    cloud.volumes.extend_volume(volume.id, size_gib=2)
    grown = settled(lambda: cloud.volumes.get_volume(volume.id))
    assert (grown.status, grown.size_gib) == ("available", 2)
    with pytest.raises(errors.CloudError) as refusal:
        cloud.volumes.extend_volume(volume.id, size_gib=1)
    assert refusal.value.status == 400
    assert not refusal.value.effect_unknown


def test_of_several_extensions_at_once_exactly_one_is_taken_and_the_same_again_is_refused(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    volume = laboratory.volume()

    def extend(_: int) -> errors.CloudError | None:
        try:
            cloud.volumes.extend_volume(volume.id, size_gib=2)
        except errors.CloudError as error:
            return error
        return None

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(extend, range(4)))
    assert answers.count(None) == 1, answers
    assert not any(answer.effect_unknown for answer in answers if answer), answers
    assert settled(lambda: cloud.volumes.get_volume(volume.id)).size_gib == 2
    with pytest.raises(errors.CloudError) as refusal:
        cloud.volumes.extend_volume(volume.id, size_gib=2)
    assert refusal.value.status == 400


def test_a_deleted_volume_is_not_found(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    cloud.volumes.delete_volume(volume.id)
    gone(lambda: cloud.volumes.get_volume(volume.id))
    with pytest.raises(errors.NotFound):
        cloud.volumes.delete_volume(volume.id)


def test_what_never_was_is_not_found(cloud: Cloud) -> None:
    for look in (
        cloud.volumes.get_volume,
        cloud.backups.get_backup,
        cloud.snapshots.get_snapshot,
        cloud.compute.get_server,
        cloud.network.get_port,
        cloud.images.get_image,
    ):
        with pytest.raises(errors.NotFound) as absence:
            look(ABSENT)
        assert absence.value.status == 404
        assert absence.value.request_id


def test_a_free_volume_is_held_by_nobody(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    assert cloud.volumes.attachments(volume.id) == []
    assert volume.attached_to == {}


def test_a_snapshot_keeps_its_volume_and_makes_new_ones(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    made = cloud.snapshots.create_snapshot(
        volume_id=volume.id, name=laboratory.unique("snapshot"), metadata={"a": "b"}
    )
    snapshot = settled(lambda: cloud.snapshots.get_snapshot(made.id))
    assert (snapshot.status, snapshot.metadata) == ("available", {"a": "b"})
    assert [each.id for each in cloud.snapshots.find_snapshots(volume_id=volume.id)] == [snapshot.id]
    with pytest.raises(errors.Conflict):
        cloud.volumes.delete_volume(volume.id)

    copy = cloud.volumes.create_volume(
        name=laboratory.unique("copy"),
        size_gib=1,
        volume_type=VOLUME_TYPE,
        metadata={},
        snapshot_id=snapshot.id,
    )
    assert settled(lambda: cloud.volumes.get_volume(copy.id)).status == "available"
    cloud.snapshots.delete_snapshot(snapshot.id)
    gone(lambda: cloud.snapshots.get_snapshot(snapshot.id))


def test_a_volume_moves_to_another_type(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    cloud.volumes.retype_volume(volume.id, volume_type=OTHER_TYPE)
    moved = settled(lambda: cloud.volumes.get_volume(volume.id))
    assert (moved.status, moved.volume_type) == ("available", OTHER_TYPE)


def test_a_volume_does_not_move_to_the_type_it_has_or_to_none(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    with pytest.raises(errors.Conflict) as refusal:
        cloud.volumes.retype_volume(volume.id, volume_type=VOLUME_TYPE)
    assert refusal.value.status == 400
    with pytest.raises(errors.NotFound):
        cloud.volumes.retype_volume(volume.id, volume_type="no such class")


def test_a_volume_is_put_back_to_its_newest_snapshot(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    first = laboratory.snapshot(volume)
    time.sleep(1)  # of two made in one second the cloud may take either for the newest
    newest = laboratory.snapshot(volume)
    assert newest.created_at > first.created_at
    with pytest.raises(errors.Refused) as refusal:
        cloud.volumes.revert_volume(volume.id, snapshot_id=first.id)
    assert refusal.value.status == 400

    # some back ends (NFS) cannot delete an older snapshot any more once a volume has been put back to a newer one
    cloud.snapshots.delete_snapshot(newest.id)
    gone(lambda: cloud.snapshots.get_snapshot(newest.id))
    cloud.volumes.revert_volume(volume.id, snapshot_id=first.id)
    with pytest.raises(errors.Conflict):  # while it goes on
        cloud.volumes.revert_volume(volume.id, snapshot_id=first.id)
    assert settled(lambda: cloud.volumes.get_volume(volume.id)).status == "available"
    after = settled(lambda: cloud.snapshots.get_snapshot(first.id))
    assert after.status == "available"
    assert after.updated_at != first.updated_at


def test_a_volume_that_has_grown_is_not_put_back(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    snapshot = laboratory.snapshot(volume)
    try:
        cloud.volumes.extend_volume(volume.id, size_gib=2)
    except errors.Conflict:
        pytest.skip("the back end does not grow what has snapshots")
    if settled(lambda: cloud.volumes.get_volume(volume.id)).size_gib == 1:
        pytest.skip("the back end does not grow what has snapshots")
    with pytest.raises(errors.Refused):
        cloud.volumes.revert_volume(volume.id, snapshot_id=snapshot.id)


def test_snapshots_count_their_volumes_size(laboratory: Laboratory, cloud: Cloud) -> None:
    volume = laboratory.volume()
    before = cloud.volumes.limits()
    laboratory.snapshot(volume)
    after = cloud.volumes.limits()
    assert after["totalGigabytesUsed"] == before["totalGigabytesUsed"] + volume.size_gib
    assert after["totalSnapshotsUsed"] == before["totalSnapshotsUsed"] + 1


def test_limits_name_what_is_used(laboratory: Laboratory, cloud: Cloud) -> None:
    before = cloud.volumes.limits()["totalGigabytesUsed"]
    laboratory.volume()
    eventually(cloud.volumes.limits, lambda limits: limits["totalGigabytesUsed"] > before)


def test_what_was_handed_to_another_project_is_not_found_from_ours_and_told_to_operators(
    laboratory: Laboratory, cloud: Cloud, operator: Cloud, empty_project: Laboratory
) -> None:
    volume = laboratory.volume()
    snapshot = laboratory.snapshot(volume)
    assert (volume.project_id, snapshot.project_id) == (laboratory.project.id, laboratory.project.id)
    hand_over(volume.id, by=cloud, to=empty_project.cloud)
    with pytest.raises(errors.NotFound):
        cloud.volumes.get_volume(volume.id)
    with pytest.raises(errors.NotFound):
        cloud.snapshots.get_snapshot(snapshot.id)
    assert operator.volumes.get_volume(volume.id).project_id == empty_project.project.id
    assert operator.snapshots.get_snapshot(snapshot.id).project_id == empty_project.project.id
    hand_over(volume.id, by=empty_project.cloud, to=cloud)
    assert cloud.volumes.get_volume(volume.id).project_id == laboratory.project.id
