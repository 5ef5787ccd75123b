"""Second factors count once they are confirmed. Those that people have already count as confirmed: they signed in with them before."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone


def confirm_what_there_is(apps: Any, _schema_editor: Any) -> None:
    there = apps.get_model("mfa", "Authenticator").objects.filter(type="totp")
    now = timezone.now()
    Enrolment = apps.get_model("access", "Enrolment")
    Enrolment.objects.bulk_create(
        Enrolment(authenticator_id=each.pk, user_id=each.user_id, enrolled_at=each.created_at, confirmed_at=now)
        for each in there.iterator()
    )


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_roles_and_what_they_may_do"),
        ("mfa", "0003_authenticator_type_uniq"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Enrolment",
            fields=[
                ("authenticator", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="enrolment", serialize=False, to="mfa.authenticator")),
                ("enrolled_at", models.DateTimeField()),
                ("told_at", models.DateTimeField(blank=True, null=True)),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                ("confirmed_by", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("user", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name="enrolment", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("confirmed_by__isnull", True), models.Q(("confirmed_by", models.F("user")), _negated=True), _connector="OR"), name="second_factor_not_confirmed_by_oneself"),
                    models.CheckConstraint(condition=models.Q(("confirmed_by__isnull", True), ("confirmed_at__isnull", False), _connector="OR"), name="second_factor_confirmed_at_a_time"),
                ],
            },
        ),
        migrations.RunPython(confirm_what_there_is, migrations.RunPython.noop),
    ]
