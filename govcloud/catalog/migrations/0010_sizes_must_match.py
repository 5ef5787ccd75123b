from django.db import migrations, models


class Migration(migrations.Migration):
    """On for clouds that are registered from now on; those there are go on as they were until somebody says otherwise."""

    dependencies = [
        ('catalog', '0009_an_offering_for_quota'),
    ]

    operations = [
        migrations.AddField(
            model_name='cloud',
            name='sizes_must_match',
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name='cloud',
            name='sizes_must_match',
            field=models.BooleanField(default=True),
        ),
    ]
