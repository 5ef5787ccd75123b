from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("api", "0002_tokens_are_kept_by_access")]

    operations = [migrations.DeleteModel("TokenName")]
