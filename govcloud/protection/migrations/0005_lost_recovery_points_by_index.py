"""The index is built beside the writes: backups are recorded there all the time."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("inventory", "0013_servers_in_error"),
        ("protection", "0004_recovery_points_can_be_lost"),
        ("provisioning", "0016_operations_that_set_limits"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="recoverypoint",
            index=models.Index(condition=models.Q(("lost", True)), fields=["external_id"], name="recovery_point_lost"),
        ),
    ]
