import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0008_quota_is_ordered'),
        ('inventory', '0011_containers_and_their_credentials'),
        ('orders', '0009_attachments'),
    ]

    operations = [
        migrations.CreateModel(
            name='LimitSpec',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='limit', serialize=False, to='orders.orderitem')),
                ('dimension', models.CharField(choices=[('servers', 'servers'), ('vcpus', 'vCPU'), ('memory_gb', 'memory, GB'), ('storage_gb', 'block storage, GB'), ('object_gb', 'object storage, GB'), ('backup_gb', 'backup, GB'), ('networks', 'networks'), ('addresses', 'floating addresses')], max_length=12)),
                ('limit', models.PositiveBigIntegerField()),
                ('limit_before', models.PositiveBigIntegerField(null=True)),
                ('until', models.DateField(null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='orderitem',
            name='order_item_changes_name_their_target',
        ),
        migrations.AlterField(
            model_name='orderitem',
            name='kind',
            field=models.CharField(choices=[('server', 'server'), ('volume', 'storage volume'), ('network', 'network'), ('backup', 'disaster-recovery backup'), ('container', 'object container'), ('quota', 'quota'), ('work_order', 'work order')], max_length=12),
        ),
        migrations.AddConstraint(
            model_name='orderitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('action', 'create'), ('target__isnull', True)), models.Q(('action', 'change'), ('kind', 'quota'), ('quantity', 1), ('target__isnull', True)), models.Q(models.Q(('action', 'create'), _negated=True), ('quantity', 1), ('target__isnull', False)), _connector='OR'), name='order_item_changes_name_their_target'),
        ),
    ]
