from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0002_messages_for_substitutes"),
    ]

    operations = [
        migrations.AddField(
            model_name="notice",
            name="standing_in",
            field=ArrayField(models.BigIntegerField(), default=list),
        ),
    ]
