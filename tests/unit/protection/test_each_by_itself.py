"""Of what a sweep goes through, one that cannot be followed up is logged and tried again; it holds up no other."""

from datetime import datetime
from uuid import uuid4

import pytest

from govcloud.protection import clearing, services
from govcloud.protection.models import BackupPlan, RecoveryPoint
from govcloud.provisioning.models import Operation, OperationKind, Step
from tests.api.house import recovery_point
from tests.factories.inventory import BackupAllowanceFactory, VolumeFactory

pytestmark = pytest.mark.django_db


def planned(frequency: str, *, at: datetime) -> BackupPlan:
    """Due, with a volume to be backed up."""
    volume = VolumeFactory()
    allowance = BackupAllowanceFactory(resource__system=volume.resource.system)
    services.open_plan(
        allowance=allowance,
        frequency="daily",
        volume_units=[str(volume.resource.unit)],
        actor=services.SCHEDULER,
        at=at,
    )
    BackupPlan.objects.filter(allowance=allowance).update(frequency=frequency)
    return BackupPlan.objects.get(allowance=allowance)


def test_a_plan_that_cannot_be_run_holds_up_no_other(at: datetime) -> None:
    broken, sound = planned("never", at=at), planned("daily", at=at)
    (begun,) = services.run_due(at=at)
    assert begun.backup_run.plan == sound
    broken.refresh_from_db()
    assert broken.next_run_at == at, "it is due still"
    BackupPlan.objects.filter(pk=broken.pk).update(frequency="weekly")
    (begun,) = services.run_due(at=at)
    assert begun.backup_run.plan == broken


def test_points_that_cannot_be_deleted_hold_up_no_others(at: datetime) -> None:
    first, second = (recovery_point(VolumeFactory()) for _ in range(2))
    broken, sound = RecoveryPoint.objects.order_by("run__plan")
    assert {broken, sound} == {first, second}
    resource = broken.volume.resource
    operation = Operation.objects.create(
        kind=OperationKind.MEND, reason="", system=resource.system, cloud=resource.cloud, created_at=at
    )
    taken = f"left-over:{at.isoformat()}:{broken.uuid}"  # its step cannot be written
    Step.objects.create(operation=operation, position=0, key=taken, kind="power", label="", unit=uuid4())
    assert [each.steps.first().external_id for each in clearing.expire(at=at)] == [sound.external_id]
    Step.objects.filter(key=taken).delete()
    assert [each.steps.first().external_id for each in clearing.expire(at=at)] == [broken.external_id]
