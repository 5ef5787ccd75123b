import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0007_object_storage_classes"),
        ("orders", "0007_floating_addresses"),
    ]

    operations = [
        migrations.AlterField(
            model_name='orderitem',
            name='kind',
            field=models.CharField(choices=[('server', 'server'), ('volume', 'storage volume'), ('network', 'network'), ('backup', 'disaster-recovery backup'), ('container', 'object container'), ('work_order', 'work order')], max_length=12),
        ),
        migrations.CreateModel(
            name='ContainerSpec',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='container', serialize=False, to='orders.orderitem')),
                ('quota_gb', models.PositiveIntegerField()),
                ('delete_contents', models.BooleanField(default=False)),
                ('storage_class', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.storageclass')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('quota_gb__gte', 1)), name='container_spec_quota_is_positive')],
            },
        ),
    ]
