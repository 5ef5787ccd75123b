from django.db import migrations

# Every case that runs waits for one signature of the role that decides its current stage, as before.
SEATS = """
INSERT INTO approvals_seat (uuid, stage_id, origin, role, reason, status)
SELECT gen_random_uuid(), id, 'role', role, '', 'open' FROM approvals_casestage WHERE status = 'current'
"""


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0003_several_sign_and_rules_decide'),
    ]

    operations = [
        migrations.RunSQL(SEATS, migrations.RunSQL.noop),
    ]
