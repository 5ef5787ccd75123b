"""Of taking back something people are warned anew when its grace begins anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leases", "0001_notices_and_expiries"),
    ]

    operations = [
        migrations.AddField(
            model_name="expiry",
            name="counts_from",
            field=models.DateTimeField(null=True),
        ),
        # When a grace that goes on began anew was not written down: all warnings that were given count.
        migrations.RunSQL(
            "UPDATE leases_expiry SET counts_from = found_at",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(
            model_name="expiry",
            name="counts_from",
            field=models.DateTimeField(),
        ),
        migrations.RemoveConstraint(
            model_name="notice",
            name="lease_notice_once",
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "reclaim"), _negated=True),
                fields=("resource", "kind", "lease_end", "days"),
                name="lease_notice_told_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "reclaim")),
                fields=("resource", "lease_end", "days", "due_at"),
                name="lease_warning_once_a_date",
            ),
        ),
    ]
