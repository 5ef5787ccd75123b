"""Names of systems' owners go into the sealed rows; the plain column goes with the next migration."""

from django.db import migrations

from govcloud import ciphers

PURPOSE = "system owners"


def seal(apps, schema_editor):
    System, SystemOwner = apps.get_model("tenants", "System"), apps.get_model("tenants", "SystemOwner")
    plain = System.objects.exclude(owner_name="").filter(sealed_owner=None)  # the sealed row stays on the way back
    for system in plain.iterator():
        document = {"name": system.owner_name, "phone": "", "email": ""}
        sealed = ciphers.seal(document, purpose=PURPOSE, owner=system.uuid)
        SystemOwner.objects.create(
            system=system, algorithm=sealed.algorithm, key=sealed.key, sealed=sealed.content
        )


def unseal(apps, schema_editor):
    SystemOwner = apps.get_model("tenants", "SystemOwner")
    for row in SystemOwner.objects.select_related("system"):
        sealed = ciphers.Sealed(row.algorithm, row.key, bytes(row.sealed))
        row.system.owner_name = ciphers.opened(sealed, purpose=PURPOSE, owner=row.system.uuid)["name"]
        row.system.save(update_fields=["owner_name"])


class Migration(migrations.Migration):
    dependencies = [("tenants", "0005_units_and_systems_in_full")]

    operations = [migrations.RunPython(seal, unseal)]
