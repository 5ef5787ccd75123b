from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0006_external_networks"),
    ]

    operations = [
        migrations.AddField(
            model_name='storageclass',
            name='keeps',
            field=models.CharField(choices=[('block', 'volumes'), ('object', 'object containers')], default='block', max_length=6),
        ),
        migrations.AlterField(
            model_name='offering',
            name='kind',
            field=models.CharField(choices=[('server', 'server'), ('volume', 'storage volume'), ('network', 'network'), ('backup', 'disaster-recovery backup'), ('container', 'object container'), ('work_order', 'work order')], max_length=12),
        ),
    ]
