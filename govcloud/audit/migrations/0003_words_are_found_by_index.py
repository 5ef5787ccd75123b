"""Built beside the writes: the trail is the longest table, and everything that is done writes to it."""

import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

import govcloud.grams


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("audit", "0002_exports"),
        ("orders", "0016_who_wrote_it"),  # the function govcloud_grams is of its 0012
    ]

    operations = [
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                condition=models.Q(("request_id", ""), _negated=True),
                fields=["request_id"],
                name="audit_event_request",
            ),
        ),
        AddIndexConcurrently(
            model_name="event",
            index=django.contrib.postgres.indexes.GinIndex(
                govcloud.grams.Grams(
                    govcloud.grams.Joined(
                        models.F("actor_name"), models.F("verb"), models.F("subject_label")
                    )
                ),
                name="audit_event_grams",
            ),
        ),
    ]
