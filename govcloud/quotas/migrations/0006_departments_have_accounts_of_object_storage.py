from django.db import migrations


def open_accounts(apps, schema_editor):
    """Where a department has accounts, with a limit of 0: nothing was granted, and somebody can grant it."""
    accounts = apps.get_model("quotas", "QuotaAccount").objects
    departments = accounts.order_by("department").values_list("department", flat=True).distinct()
    accounts.bulk_create(
        (accounts.model(department_id=each, dimension="object_gb", limit=0) for each in departments),
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):

    dependencies = [
        ("quotas", "0005_object_storage_is_counted"),
    ]

    operations = [
        migrations.RunPython(open_accounts, migrations.RunPython.noop),
    ]
