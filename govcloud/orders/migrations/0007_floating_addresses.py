import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0008_routers_rules_and_floating_addresses'),
        ("orders", "0006_renewals"),
    ]

    operations = [
        migrations.CreateModel(
            name='AddressSpec',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='floating', serialize=False, to='orders.orderitem')),
                ('network', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='inventory.resource')),
            ],
        ),
    ]
