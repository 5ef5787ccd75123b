"""Tokens that people made before are named ones: they keep their name, their end, and what their holder may do."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial"), ("access", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO access_apitoken (uuid, token_id, kind, name, scope, permissions, networks) "
            "SELECT uuid, token_id, 'named', name, 'roles', '{}', '{}' FROM api_tokenname",
            "INSERT INTO api_tokenname (uuid, token_id, name) SELECT uuid, token_id, name FROM access_apitoken",
        ),
    ]
