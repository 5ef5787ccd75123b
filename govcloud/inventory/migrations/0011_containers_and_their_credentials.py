import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0007_object_storage_classes"),
        ("inventory", "0010_wipe_records_of_resources"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='resource',
            name='kind',
            field=models.CharField(choices=[('server', 'server'), ('volume', 'storage volume'), ('network', 'network'), ('backup', 'backup allowance'), ('container', 'object container')], max_length=10),
        ),
        migrations.CreateModel(
            name='Container',
            fields=[
                ('resource', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='container', serialize=False, to='inventory.resource')),
                ('quota_gb', models.PositiveIntegerField()),
                ('bytes_used', models.PositiveBigIntegerField(null=True)),
                ('objects_held', models.PositiveBigIntegerField(null=True)),
                ('counted_at', models.DateTimeField(null=True)),
                ('storage_class', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='containers', to='catalog.storageclass')),
            ],
        ),
        migrations.CreateModel(
            name='ContainerCredential',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('unit', models.UUIDField(unique=True)),
                ('name', models.CharField(max_length=40)),
                ('access', models.CharField(choices=[('read', 'read only'), ('write', 'read and write')], max_length=5)),
                ('user_id', models.CharField(max_length=64)),
                ('user_name', models.CharField(max_length=64)),
                ('project_id', models.CharField(max_length=64)),
                ('issued_at', models.DateTimeField()),
                ('secret_set_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('container', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credentials', to='inventory.container')),
                ('issued_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-issued_at', '-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True)), fields=('container', 'name'), name='credential_name_once_per_container')],
            },
        ),
    ]
