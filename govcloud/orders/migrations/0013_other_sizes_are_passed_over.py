from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0012_lists_of_many'),
    ]

    operations = [
        migrations.AlterField(
            model_name='weighed',
            name='verdict',
            field=models.CharField(choices=[('network_there', 'Network There'), ('system_there', 'System There'), ('only_one', 'Only One'), ('most_room', 'Most Room'), ('disabled', 'Disabled'), ('other_site', 'Other Site'), ('other_zone', 'Other Zone'), ('level_too_high', 'Level Too High'), ('network_elsewhere', 'Network Elsewhere'), ('backup_elsewhere', 'Backup Elsewhere'), ('lacks', 'Lacks'), ('other_size', 'Other Size'), ('maintenance', 'Maintenance'), ('full', 'Full'), ('down', 'Down'), ('system_elsewhere', 'System Elsewhere'), ('other_part', 'Other Part'), ('less_room', 'Less Room')], max_length=20),
        ),
    ]
