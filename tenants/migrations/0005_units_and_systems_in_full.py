import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_sessions_that_end_and_no_superusers")]

    operations = [
        migrations.AddField("department", "closed_at", models.DateTimeField(null=True)),
        migrations.AddField("system", "retired_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "system",
            "data_class",
            models.CharField(
                blank=True,
                choices=[
                    ("public", "public data"),
                    ("internal", "internal data"),
                    ("sensitive", "sensitive data"),
                    ("important", "important data"),
                ],
                max_length=10,
                default="",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "system",
            "service_scope",
            models.CharField(
                blank=True,
                choices=[
                    ("unit", "this unit"),
                    ("cross_department", "several departments"),
                    ("society", "the public"),
                ],
                max_length=20,
                default="",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "system",
            "authority",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="systems_in_charge",
                to="tenants.department",
            ),
        ),
        migrations.CreateModel(
            "SystemOwner",
            [
                (
                    "system",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="sealed_owner",
                        serialize=False,
                        to="tenants.system",
                    ),
                ),
                ("algorithm", models.CharField(max_length=20)),
                ("key", models.CharField(max_length=16)),
                ("sealed", models.BinaryField()),
            ],
        ),
    ]
