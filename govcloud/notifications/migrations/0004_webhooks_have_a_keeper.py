import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Whoever registered a webhook answers for it until somebody takes it over."""

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("notifications", "0003_notice_standing_in"),
    ]

    operations = [
        migrations.AddField(
            model_name="webhook",
            name="keeper",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(
            "UPDATE notifications_webhook SET keeper_id = registered_by_id", migrations.RunSQL.noop
        ),
        migrations.AlterField(
            model_name="webhook",
            name="keeper",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
