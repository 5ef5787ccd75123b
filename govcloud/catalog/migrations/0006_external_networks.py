from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0005_storage_ways'),
    ]

    operations = [
        migrations.AddField(
            model_name='zone',
            name='external_network',
            field=models.CharField(blank=True, max_length=120),
        ),
    ]
