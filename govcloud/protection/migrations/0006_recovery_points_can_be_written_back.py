from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def copy_labels(apps, _schema_editor):
    """A volume's label has never changed so far: each of its points has a file system with it."""
    points = apps.get_model("protection", "RecoveryPoint").objects
    volumes = apps.get_model("inventory", "Volume").objects
    points.update(label=Subquery(volumes.filter(pk=OuterRef("volume")).values("label")[:1]))


class Migration(migrations.Migration):
    dependencies = [("protection", "0005_lost_recovery_points_by_index")]

    operations = [
        migrations.AddField("recoverypoint", "label", models.CharField(blank=True, default="", max_length=16), preserve_default=False),
        migrations.AddField("recoverypoint", "restored_at", models.DateTimeField(null=True)),
        migrations.RunPython(copy_labels, migrations.RunPython.noop),
    ]
