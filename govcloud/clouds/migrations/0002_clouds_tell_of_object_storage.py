from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('clouds', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='cloudhealth',
            name='object_storage',
            field=models.CharField(choices=[('unknown', 'not looked at yet'), ('offered', 'offered'), ('absent', 'not offered')], default='unknown', max_length=7),
        ),
    ]
