"""A line of a review that has been decided is evidence: the database refuses to change or delete it, whoever asks."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION organisation_reviewline_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.verdict = 'pending' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'organisation_reviewline: decided lines are never changed, and none is deleted';
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("organisation", "0001_access_reviews")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION organisation_reviewline_kept()"),
        migrations.RunSQL(
            "CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON organisation_reviewline "
            "FOR EACH ROW EXECUTE FUNCTION organisation_reviewline_kept()",
            "DROP TRIGGER kept ON organisation_reviewline",
        ),
    ]
