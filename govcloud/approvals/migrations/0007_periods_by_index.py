from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0006_flows_are_published_by_another"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="case",
            index=models.Index(fields=["closed_at"], name="case_by_closing"),
        ),
        migrations.AddIndex(
            model_name="casestage",
            index=models.Index(fields=["decided_at"], name="case_stage_by_decision"),
        ),
    ]
