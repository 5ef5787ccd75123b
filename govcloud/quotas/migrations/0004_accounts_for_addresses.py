from django.db import migrations


def open_accounts(apps, schema_editor):
    """A department that has accounts gets one of the new dimension too, with a limit of 0: nothing, until it is raised."""
    account = apps.get_model('quotas', 'QuotaAccount')
    departments = account.objects.order_by('department_id').values_list('department_id', flat=True).distinct()
    account.objects.bulk_create(
        (account(department_id=department, dimension='addresses', limit=0) for department in departments),
        ignore_conflicts=True,
    )


def close_unused(apps, schema_editor):
    apps.get_model('quotas', 'QuotaAccount').objects.filter(dimension='addresses', entries=None).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('quotas', '0003_a_dimension_for_addresses'),
    ]

    operations = [
        migrations.RunPython(open_accounts, close_unused),
    ]
