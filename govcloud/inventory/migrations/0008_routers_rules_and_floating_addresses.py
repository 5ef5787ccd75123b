import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("inventory", "0007_leases_end"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='FloatingAddress',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('unit', models.UUIDField(unique=True)),
                ('address', models.GenericIPAddressField(null=True)),
                ('external_id', models.CharField(blank=True, max_length=64)),
                ('reserved_at', models.DateTimeField()),
                ('given_at', models.DateTimeField(null=True)),
                ('released_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-reserved_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='SecurityRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('unit', models.UUIDField(unique=True)),
                ('protocol', models.CharField(choices=[('tcp', 'TCP'), ('udp', 'UDP'), ('icmp', 'ICMP'), ('any', 'any protocol')], max_length=4)),
                ('port_min', models.PositiveIntegerField(null=True)),
                ('port_max', models.PositiveIntegerField(null=True)),
                ('remote', models.CharField(max_length=43)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('external_id', models.CharField(max_length=64)),
                ('added_at', models.DateTimeField()),
                ('removed_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-added_at', '-id'],
            },
        ),
        migrations.AddField(
            model_name='network',
            name='external_network_id',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='network',
            name='outside_address',
            field=models.GenericIPAddressField(null=True),
        ),
        migrations.AddField(
            model_name='network',
            name='router_id',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddConstraint(
            model_name='network',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('external_network_id', ''), ('router_id', '')), models.Q(models.Q(('router_id', ''), _negated=True), models.Q(('external_network_id', ''), _negated=True)), _connector='OR'), name='network_router_leads_somewhere'),
        ),
        migrations.AddField(
            model_name='floatingaddress',
            name='network',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='floating_addresses', to='inventory.network'),
        ),
        migrations.AddField(
            model_name='floatingaddress',
            name='server',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='floating_addresses', to='inventory.server'),
        ),
        migrations.AddField(
            model_name='securityrule',
            name='added_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='securityrule',
            name='network',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rules', to='inventory.network'),
        ),
        migrations.AddConstraint(
            model_name='floatingaddress',
            constraint=models.UniqueConstraint(condition=models.Q(('released_at__isnull', True)), fields=('server',), name='floating_address_once_per_server'),
        ),
        migrations.AddConstraint(
            model_name='securityrule',
            constraint=models.UniqueConstraint(condition=models.Q(('removed_at__isnull', True)), fields=('network', 'protocol', 'port_min', 'port_max', 'remote'), name='security_rule_once_per_network', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='securityrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('port_max__isnull', True), ('port_min__isnull', True)), models.Q(('port_max__gte', models.F('port_min')), ('port_max__lte', 65535), ('port_min__gte', 1)), _connector='OR'), name='security_rule_ports_are_a_range'),
        ),
    ]
