from django.db import migrations

# A published flow and its stages stay as they are: running cases name the version they run on, and people quote it.
PUBLISHED = """
CREATE FUNCTION approvals_flow_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'flow version % is published and never changes', OLD.number USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER published_is_frozen BEFORE UPDATE OR DELETE ON approvals_flowversion
FOR EACH ROW EXECUTE FUNCTION approvals_flow_is_frozen();

CREATE FUNCTION approvals_stages_are_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    flows bigint[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.flow_id] WHEN 'DELETE' THEN ARRAY[OLD.flow_id]
                                 ELSE ARRAY[OLD.flow_id, NEW.flow_id] END;
BEGIN
    -- The lock keeps a publication from slipping in between this look and the end of the writing transaction.
    PERFORM 1 FROM approvals_flowversion WHERE id = ANY (flows) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM approvals_flowversion WHERE id = ANY (flows) AND published_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the stages of a published flow version never change' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER published_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON approvals_stage
FOR EACH ROW EXECUTE FUNCTION approvals_stages_are_frozen();
"""

UNPUBLISHED = """
DROP TRIGGER published_is_frozen ON approvals_stage;
DROP FUNCTION approvals_stages_are_frozen();
DROP TRIGGER published_is_frozen ON approvals_flowversion;
DROP FUNCTION approvals_flow_is_frozen();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0001_initial'),
        ('audit', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approvals_decision "
            "FOR EACH STATEMENT EXECUTE FUNCTION govcloud_append_only()",
            "DROP TRIGGER append_only ON approvals_decision",
        ),
        migrations.RunSQL(PUBLISHED, UNPUBLISHED),
    ]
