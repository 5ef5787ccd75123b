"""A stage may be due on the same day (0 working days)."""

from django.db import migrations


def refuse_the_same_day(apps, schema_editor):
    """Published stages never change: one day instead of none would be another promise than that which was made."""
    stages = apps.get_model("approvals", "Stage").objects.using(schema_editor.connection.alias)
    flows = sorted({str(name) for name in stages.filter(working_days=0).values_list("flow__name", flat=True)})
    if flows:
        raise RuntimeError(
            f"Stages of these versions of the flow are due on the same day, which the release before cannot say: {flows}"
        )


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0011_limits_for_building"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="stage",
            name="stage_has_a_limit",
        ),
        migrations.RunPython(migrations.RunPython.noop, refuse_the_same_day),
    ]
