"""Django's own flags opened nothing here; from the next migration on nobody can have them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tenants", "0002_what_may_be_revoked")]

    operations = [
        migrations.RunSQL(
            "UPDATE tenants_user SET is_superuser = false, is_staff = false WHERE is_superuser OR is_staff",
            migrations.RunSQL.noop,
        )
    ]
