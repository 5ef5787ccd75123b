from django.db import migrations, models

FILL = """
    UPDATE orders_limitspec spec SET lasting_before = COALESCE(
        (
            SELECT running.falls_back_to
            FROM orders_orderitem item
            JOIN orders_order ordered ON ordered.id = item.order_id AND ordered.finished_at IS NULL
            JOIN tenants_system of ON of.id = ordered.system_id
            JOIN quotas_quotaaccount account
                ON account.department_id = of.department_id AND account.dimension = spec.dimension
            JOIN quotas_temporaryraise running
                ON running.account_id = account.id AND running.status = 'running'
                AND running.limit = spec.limit_before
            WHERE item.id = spec.item_id AND spec.until IS NOT NULL
        ),
        spec.limit_before
    )
"""
"""A renewal under way goes on. A lasting limit that saw a temporary one was sent the short way: it counts as moved."""


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0016_who_wrote_it'),
        ('quotas', '0009_raises_are_warned_of'),
        ('tenants', '0007_owners_names_are_nowhere_plain'),
    ]

    operations = [
        migrations.AddField(
            model_name='limitspec',
            name='lasting_before',
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
