from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_outbox"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="on_behalf_of",
            field=ArrayField(models.CharField(max_length=150), default=list),
        ),
    ]
