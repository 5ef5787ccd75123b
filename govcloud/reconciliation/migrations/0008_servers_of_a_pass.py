from django.db import migrations, models

# In one walk through what began and ended on each cloud: a count for each pass would read all servers each time.
SERVERS = """
    UPDATE reconciliation_sweep SET servers = counted.servers
    FROM (
        SELECT sweep, greatest(0, sum(change) OVER (PARTITION BY cloud ORDER BY at, sweep NULLS FIRST)) AS servers
        FROM (
            SELECT NULL::bigint AS sweep, cloud_id AS cloud, built_at AS at, 1 AS change
            FROM inventory_resource WHERE kind = 'server'
            UNION ALL
            SELECT NULL, cloud_id, released_at, -1
            FROM inventory_resource WHERE kind = 'server' AND released_at IS NOT NULL
            UNION ALL
            SELECT id, cloud_id, started_at, 0 FROM reconciliation_sweep WHERE started_at IS NOT NULL
        ) AS happened
    ) AS counted
    WHERE reconciliation_sweep.id = counted.sweep
"""


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0001_initial"),
        ("reconciliation", "0007_finding_of_another_project"),
    ]

    operations = [
        migrations.AddField(
            model_name="sweep",
            name="servers",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.RunSQL(SERVERS, migrations.RunSQL.noop),
    ]
