from django.db import migrations, models
from django.db.models import Q


def status_of_enabled(apps, schema_editor):
    apps.get_model("catalog", "Cloud").objects.filter(enabled=False).update(status="disabled")


def enabled_of_status(apps, schema_editor):
    apps.get_model("catalog", "Cloud").objects.exclude(status="enabled").update(enabled=False)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_image_min_memory")]

    operations = [
        migrations.AddField(
            "cloud",
            "status",
            models.CharField(
                choices=[("disabled", "disabled"), ("enabled", "enabled"), ("retired", "retired")],
                default="enabled",
                max_length=8,
            ),
        ),
        migrations.RunPython(status_of_enabled, enabled_of_status),
        migrations.RemoveField("cloud", "enabled"),
        migrations.AddField("cloud", "mlps_level", models.PositiveSmallIntegerField(default=3)),
        migrations.AddField("cloud", "version", models.PositiveIntegerField(default=1)),
        migrations.AlterField("cloud", "profile", models.CharField(blank=True, max_length=80)),
        migrations.AddConstraint(
            "cloud",
            models.CheckConstraint(
                condition=Q(mlps_level__gte=1, mlps_level__lte=5), name="cloud_mlps_level_of_the_standard"
            ),
        ),
    ]
