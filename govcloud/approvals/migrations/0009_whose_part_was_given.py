import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0008_substitutes_are_told"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="seat",
            name="given_for",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        # For whom it was given was not written down: who gave it counts as who had it.
        migrations.RunSQL(
            "UPDATE approvals_seat SET given_for_id = given_by_id WHERE given_by_id IS NOT NULL",
            migrations.RunSQL.noop,
        ),
        migrations.RemoveConstraint(model_name="seat", name="seat_is_somebodys"),
        migrations.AddConstraint(
            model_name="seat",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("given_by", None),
                        ("given_for", None),
                        ("origin", "role"),
                        ("person", None),
                        models.Q(("role", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("origin", "role"), _negated=True),
                        ("given_by__isnull", False),
                        ("given_for__isnull", False),
                        ("person__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="seat_is_somebodys",
            ),
        ),
    ]
