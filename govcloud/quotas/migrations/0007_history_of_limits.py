import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('quotas', '0006_departments_have_accounts_of_object_storage'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Crossing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('percent', models.PositiveSmallIntegerField()),
                ('limit', models.PositiveBigIntegerField()),
                ('taken', models.PositiveBigIntegerField()),
                ('crossed_at', models.DateTimeField()),
                ('cleared_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='crossings', to='quotas.quotaaccount')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('cleared_at__isnull', True)), fields=('account', 'percent'), name='crossing_once_until_it_is_cleared')],
            },
        ),
        migrations.CreateModel(
            name='LimitChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('origin', models.CharField(choices=[('opened', 'account opened'), ('set', 'set by a cloud administrator'), ('ordered', 'ordered and approved'), ('temporary', 'ordered and approved for a time'), ('fell_back', 'fell back at the end of its time'), ('allotted', 'handed on by the unit above')], max_length=10)),
                ('before', models.PositiveBigIntegerField(null=True)),
                ('after', models.PositiveBigIntegerField(null=True)),
                ('until', models.DateField(null=True)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('thread', models.UUIDField(null=True)),
                ('order_number', models.CharField(blank=True, max_length=20)),
                ('at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='quotas.quotaaccount')),
                ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['account', 'id'], name='limit_change_of_account')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('thread__isnull', False)), fields=('account', 'thread', 'origin'), name='limit_changed_once_per_order')],
            },
        ),
        migrations.CreateModel(
            name='TemporaryRaise',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('limit', models.PositiveBigIntegerField()),
                ('falls_back_to', models.PositiveBigIntegerField()),
                ('until', models.DateField()),
                ('status', models.CharField(choices=[('running', 'in force'), ('ended', 'fallen back'), ('replaced', 'replaced')], default='running', max_length=8)),
                ('thread', models.UUIDField()),
                ('order_number', models.CharField(max_length=20)),
                ('since', models.DateTimeField()),
                ('next_run_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('beyond', models.PositiveBigIntegerField(default=0)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='raises', to='quotas.quotaaccount')),
            ],
            options={
                'ordering': ['next_run_at', 'id'],
                'indexes': [models.Index(condition=models.Q(('status', 'running')), fields=['next_run_at'], name='temporary_raise_due')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'running')), fields=('account',), name='temporary_raise_one_at_a_time'), models.CheckConstraint(condition=models.Q(('limit__gt', models.F('falls_back_to'))), name='temporary_raise_raises'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('status', 'running')), models.Q(models.Q(('status', 'running'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='temporary_raise_ends_once')],
            },
        ),
    ]
