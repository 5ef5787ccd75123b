from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("quotas", "0004_accounts_for_addresses"),
    ]

    operations = [
        migrations.AlterField(
            model_name='quotaaccount',
            name='dimension',
            field=models.CharField(choices=[('servers', 'servers'), ('vcpus', 'vCPU'), ('memory_gb', 'memory, GB'), ('storage_gb', 'block storage, GB'), ('object_gb', 'object storage, GB'), ('backup_gb', 'backup, GB'), ('networks', 'networks'), ('addresses', 'floating addresses')], max_length=12),
        ),
    ]
