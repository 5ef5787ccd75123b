"""What hypervisors have left by resource class, and what a server of each flavor takes of one."""

from typing import Any, ClassVar

from django.db import migrations, models


def forget_hosts(apps: Any, _schema: Any) -> None:
    """They were told in another form; the next look, five minutes later at most, tells them anew."""
    apps.get_model("clouds", "CloudCapacity").objects.update(hosts=[])


class Migration(migrations.Migration):
    dependencies: ClassVar = [("clouds", "0006_room_of_hosts_and_back_ends")]

    operations: ClassVar = [
        migrations.AddField("cloudcapacity", "flavors", models.JSONField(default=dict)),
        migrations.RunPython(forget_hosts, migrations.RunPython.noop),
    ]
