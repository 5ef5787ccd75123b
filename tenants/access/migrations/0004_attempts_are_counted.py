from django.db import migrations, models


class Migration(migrations.Migration):
    """Attempts to sign in, counted for all web processes."""

    dependencies = [
        ("access", "0003_second_factors_are_confirmed"),
    ]

    operations = [
        migrations.CreateModel(
            name="AttemptCount",
            fields=[
                ("who", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("attempts", models.PositiveIntegerField()),
                ("until", models.DateTimeField()),
            ],
        ),
        # Nothing is lost with a minute's counts, and a sign-in need not wait until they are on the disk.
        migrations.RunSQL("ALTER TABLE access_attemptcount SET UNLOGGED", migrations.RunSQL.noop),
    ]
