import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0010_sizes_must_match'),
        ('clouds', '0002_clouds_tell_of_object_storage'),
    ]

    operations = [
        migrations.AddField(
            model_name='cloudhealth',
            name='sizes_compared_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name='SizeDifference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('flavors', 'flavor'), ('storage_classes', 'storage class'), ('images', 'image')], max_length=15)),
                ('code', models.SlugField(max_length=40)),
                ('cloud_name', models.CharField(max_length=120)),
                ('measure', models.CharField(choices=[('missing', 'is there'), ('vcpus', 'vCPUs'), ('memory_mib', 'memory, MiB'), ('ordered_gb_per_built_gb', 'GB ordered for each GB built'), ('min_disk_gb', 'smallest disk, GB'), ('min_memory_mib', 'smallest memory, MiB')], max_length=23)),
                ('expected', models.PositiveIntegerField()),
                ('found', models.PositiveIntegerField()),
                ('cloud', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='size_differences', to='catalog.cloud')),
            ],
            options={
                'ordering': ['cloud', 'kind', 'code', 'measure'],
                'constraints': [models.UniqueConstraint(fields=('cloud', 'kind', 'code', 'measure'), name='size_difference_once_per_measure')],
            },
        ),
    ]
