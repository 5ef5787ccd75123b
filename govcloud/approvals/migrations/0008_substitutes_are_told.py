from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0007_periods_by_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="absence",
            name="told_at",
            field=models.DateTimeField(null=True),
        ),
    ]
