"""Built beside the writes: whatever people are told of is written there."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("notifications", "0004_webhooks_have_a_keeper"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("kind", "role.lapsed")), fields=["subject_id"], name="notice_of_lapse"
            ),
        ),
    ]
