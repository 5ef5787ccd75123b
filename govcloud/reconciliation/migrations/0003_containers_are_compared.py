from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reconciliation', '0002_snapshots_have_a_limit'),
    ]

    operations = [
        migrations.AlterField(
            model_name='difference',
            name='field',
            field=models.CharField(choices=[('name', 'name'), ('flavor', 'flavor'), ('power', 'power'), ('state', 'state'), ('mark', 'mark by which we know it'), ('size_gib', 'size in the cloud, GiB'), ('storage_class', 'storage class'), ('attached_to', 'attached to'), ('address', 'address'), ('security_group', 'security group'), ('quota_bytes', 'quota in the cloud, bytes'), ('let_in', 'who is let in'), ('used', 'in use'), ('compute.instances', 'limit of servers'), ('compute.cores', 'limit of vCPU'), ('compute.ram', 'limit of memory, MiB'), ('volume.volumes', 'limit of volumes'), ('volume.gigabytes', 'limit of storage, GiB'), ('volume.snapshots', 'limit of snapshots'), ('volume.backups', 'limit of backups'), ('volume.backup_gigabytes', 'limit of backup storage, GiB'), ('network.network', 'limit of networks'), ('network.subnet', 'limit of subnets'), ('network.port', 'limit of ports'), ('network.security_group', 'limit of security groups'), ('network.security_group_rule', 'limit of security group rules')], max_length=30),
        ),
        migrations.AlterField(
            model_name='finding',
            name='subject',
            field=models.CharField(choices=[('server', 'server'), ('volume', 'storage volume'), ('port', 'port'), ('network', 'network'), ('security_group', 'security group'), ('container', 'object container'), ('project', "the system's project"), ('account', 'quota account')], max_length=14),
        ),
    ]
