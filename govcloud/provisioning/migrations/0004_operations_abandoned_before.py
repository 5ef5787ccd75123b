"""What was abandoned before single units could be is called off as a whole: none of its steps is to be present."""

from typing import ClassVar

from django.db import migrations

CALL_OFF = """
UPDATE provisioning_step AS step SET called_off_at = COALESCE(step.started_at, operation.created_at)
FROM provisioning_operation AS operation
WHERE operation.id = step.operation_id AND NOT EXISTS (
    SELECT FROM provisioning_step AS other WHERE other.operation_id = operation.id AND other.desired = 'present'
)
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("provisioning", "0003_units_called_off")]

    operations: ClassVar = [migrations.RunSQL(CALL_OFF, migrations.RunSQL.noop)]
