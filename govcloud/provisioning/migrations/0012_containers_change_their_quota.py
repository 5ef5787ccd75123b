from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('provisioning', '0011_what_came_to_nothing'),
    ]

    operations = [
        migrations.AlterField(
            model_name='operation',
            name='kind',
            field=models.CharField(choices=[('deliver', 'build what was ordered'), ('extend', 'extend a volume'), ('resize', "change a server's flavor"), ('requota', "change a container's quota"), ('retype', 'move a volume to another storage class'), ('release', 'release a resource'), ('backup', 'take a backup'), ('action', 'act on a resource'), ('mend', 'put right what is not as recorded')], max_length=10),
        ),
    ]
