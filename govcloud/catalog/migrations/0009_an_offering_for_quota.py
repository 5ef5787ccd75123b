from django.db import migrations


def offer(apps, schema_editor):
    """Where there is a catalogue already: departments order their quota under this line of it."""
    offerings = apps.get_model("catalog", "Offering").objects
    if offerings.exists() and not offerings.filter(kind="quota").exists():
        offerings.get_or_create(
            code="quota",
            defaults={
                "name": "配额", "name_en": "Quota", "service": "computing", "kind": "quota", "delivery": "automatic",
                "unit": "limit", "max_quantity": 1,
            },
        )


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0008_quota_is_ordered"),
    ]

    operations = [
        migrations.RunPython(offer, migrations.RunPython.noop),
    ]
