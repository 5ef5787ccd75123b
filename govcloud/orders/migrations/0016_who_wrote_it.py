import django.contrib.postgres.fields
from django.db import migrations, models

WRITING = ["order.drafted", "order.revised", "attachment.added", "attachment.removed"]
UNDECIDED = ["draft", "returned", "in_approval"]


def read_the_trail(apps, schema_editor):
    """Of what is still to be decided, who has written of it is in the audit trail."""
    Case, Event, Order, User = (
        apps.get_model(app, name)
        for app, name in (("approvals", "Case"), ("audit", "Event"), ("orders", "Order"), ("tenants", "User"))
    )
    keys = {f"user:{uuid}": pk for uuid, pk in User.objects.values_list("uuid", "pk")}
    for order in Order.objects.filter(status__in=UNDECIDED).only("uuid", "applicant_id", "case_id").iterator():
        events = Event.objects.filter(thread=order.uuid, verb__in=WRITING, outcome="done")
        actors = set(events.values_list("actor", flat=True))
        writers = sorted({order.applicant_id, *(keys[actor] for actor in actors if actor in keys)})
        Order.objects.filter(pk=order.pk).update(writers=writers)
        Case.objects.filter(pk=order.case_id, status__in=["open", "returned"]).update(writers=writers)


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0010_who_wrote_it"),
        ("audit", "0002_exports"),
        ("orders", "0015_searched_text"),
        ("tenants", "0007_owners_names_are_nowhere_plain"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="writers",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), default=list, size=None
            ),
        ),
        migrations.RunPython(read_the_trail, migrations.RunPython.noop, elidable=True),
    ]
