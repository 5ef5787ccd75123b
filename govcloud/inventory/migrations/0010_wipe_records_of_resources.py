import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("inventory", "0009_what_is_taken_over"),
    ]

    operations = [
        # a volume's key is its resource's, so nothing of a record changes
        migrations.RenameField(model_name='wiperecord', old_name='volume', new_name='resource'),
        migrations.AlterField(
            model_name='wiperecord',
            name='resource',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='wipe_record', to='inventory.resource'),
        ),
    ]
