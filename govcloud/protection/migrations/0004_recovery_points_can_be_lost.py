"""The index is built beside the writes: backups are recorded there all the time."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("inventory", "0012_servers_know_the_centres_key"),
        ("protection", "0003_legal_holds_on_containers"),
        ("provisioning", "0015_recovery_points_expire"),
    ]

    operations = [
        migrations.AddField(
            model_name="recoverypoint",
            name="lost",
            field=models.BooleanField(default=False),
        ),
        AddIndexConcurrently(
            model_name="recoverypoint",
            index=models.Index(
                condition=models.Q(("expired_at__isnull", True)), fields=["external_id"], name="recovery_point_kept"
            ),
        ),
    ]
