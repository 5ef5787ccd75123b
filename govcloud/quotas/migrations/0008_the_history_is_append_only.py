from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('quotas', '0007_history_of_limits'),
        ('audit', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON quotas_limitchange "
            "FOR EACH STATEMENT EXECUTE FUNCTION govcloud_append_only()",
            "DROP TRIGGER append_only ON quotas_limitchange",
        ),
    ]
