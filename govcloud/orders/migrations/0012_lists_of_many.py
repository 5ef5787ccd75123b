import django.contrib.postgres.indexes
from django.db import migrations, models

import govcloud.orders.queries

GRAMS = """
CREATE FUNCTION govcloud_grams(given text, shortest integer DEFAULT 1) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT array_agg(DISTINCT substr(searched, begins, many))
    FROM (SELECT upper(given) AS searched) AS texts,
        generate_series(1, char_length(searched)) AS begins,
        generate_series(shortest, 2) AS many
    WHERE begins + many - 1 <= char_length(searched)
$$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0011_urgent_orders"),
    ]

    operations = [
        migrations.RunSQL(GRAMS, "DROP FUNCTION govcloud_grams(text, integer)"),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["status", "id"], name="order_by_status"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["created_at", "id"], name="order_by_creation"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=django.contrib.postgres.indexes.GinIndex(
                govcloud.orders.queries.Grams(
                    govcloud.orders.queries.Joined(models.F("number"), models.F("title"))
                ),
                name="order_grams",
            ),
        ),
    ]
