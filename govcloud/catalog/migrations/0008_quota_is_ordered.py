from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0007_object_storage_classes'),
    ]

    operations = [
        migrations.AlterField(
            model_name='offering',
            name='kind',
            field=models.CharField(choices=[('server', 'server'), ('volume', 'storage volume'), ('network', 'network'), ('backup', 'disaster-recovery backup'), ('container', 'object container'), ('quota', 'quota'), ('work_order', 'work order')], max_length=12),
        ),
    ]
