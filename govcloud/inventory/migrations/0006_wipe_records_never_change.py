from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0005_snapshots_and_wipe_records'),
        ('audit', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON inventory_wiperecord "
            "FOR EACH STATEMENT EXECUTE FUNCTION govcloud_append_only()",
            "DROP TRIGGER append_only ON inventory_wiperecord",
        ),
    ]
