from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tenants", "0006_owners_are_sealed")]

    operations = [
        migrations.RemoveField("system", "owner_name"),
    ]
