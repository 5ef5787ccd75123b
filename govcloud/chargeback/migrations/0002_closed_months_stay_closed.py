from django.db import migrations

CLOSED_UNTIL = """
CREATE FUNCTION govcloud_closed_until() RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT coalesce(max(upper(period)), '-infinity') FROM chargeback_monthclose $$
"""

REFUSE = """
CREATE FUNCTION govcloud_month_is_closed(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'closed months stay closed: %', what
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'closed_months_stay_closed';
END $$
"""

# The part of a segment that lies in closed months is what was billed: it stays as it is, its open end may still close.
SEGMENT = """
CREATE FUNCTION govcloud_billed_usage_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed CONSTANT tstzrange := tstzrange(NULL, govcloud_closed_until());
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.period && closed THEN
            PERFORM govcloud_month_is_closed('usage would be added');
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF OLD.period && closed THEN
            PERFORM govcloud_month_is_closed('usage would be removed');
        END IF;
        RETURN OLD;
    ELSIF (OLD.period && closed OR NEW.period && closed)
        AND (OLD.resource_id, OLD.meter_id, OLD.quantity, OLD.period * closed)
            IS DISTINCT FROM (NEW.resource_id, NEW.meter_id, NEW.quantity, NEW.period * closed) THEN
        PERFORM govcloud_month_is_closed('usage would be changed');
    END IF;
    RETURN NEW;
END $$
"""

# A tariff may be ended or replaced from the first open month on; what it was in closed months stays.
TARIFF = """
CREATE FUNCTION govcloud_billed_tariff_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed CONSTANT tstzrange := tstzrange(NULL, govcloud_closed_until());
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.in_force && closed THEN
            PERFORM govcloud_month_is_closed('a tariff would be added');
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF OLD.in_force && closed THEN
            PERFORM govcloud_month_is_closed('a tariff would be removed');
        END IF;
        RETURN OLD;
    ELSIF OLD.in_force * closed <> NEW.in_force * closed THEN
        PERFORM govcloud_month_is_closed('a tariff would be changed');
    END IF;
    RETURN NEW;
END $$
"""

PRICE = """
CREATE FUNCTION govcloud_billed_price_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM chargeback_tariff t
        WHERE t.id = OLD.tariff_id AND t.in_force && tstzrange(NULL, govcloud_closed_until())
    ) THEN
        PERFORM govcloud_month_is_closed('a price would be changed');
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$
"""

STATEMENT = """
CREATE FUNCTION govcloud_statement_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD) - '{status,version}'::text[] <> to_jsonb(NEW) - '{status,version}'::text[] THEN
        PERFORM govcloud_month_is_closed('of a statement only the status may change');
    END IF;
    RETURN NEW;
END $$
"""

# Statements and lines come from the transaction that closes the month and from no other. What lines refer to is checked
# here, a set at a time: five foreign keys checked row by row take longer than rating does.
STATEMENTS_ARRIVE = """
CREATE FUNCTION govcloud_statements_arrive_at_closing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh JOIN chargeback_monthclose m ON m.id = fresh.close_id
        WHERE m.transaction <> govcloud_transaction_id()
    ) THEN
        PERFORM govcloud_month_is_closed('a statement would be added');
    END IF;
    RETURN NULL;
END $$
"""

LINES_ARRIVE = """
CREATE FUNCTION govcloud_lines_arrive_at_closing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT statement_id FROM fresh) f
        JOIN chargeback_statement s ON s.id = f.statement_id
        JOIN chargeback_monthclose m ON m.id = s.close_id
        WHERE m.transaction <> govcloud_transaction_id()
    ) THEN
        PERFORM govcloud_month_is_closed('a statement line would be added');
    END IF;
    IF EXISTS (
        SELECT FROM fresh
        LEFT JOIN chargeback_statement s ON s.id = fresh.statement_id
        LEFT JOIN metering_usagesegment u ON u.id = fresh.segment_id AND u.meter_id = fresh.meter_id
        LEFT JOIN chargeback_tariff t ON t.id = fresh.tariff_id
        LEFT JOIN tenants_system y ON y.id = fresh.system_id AND y.department_id = s.department_id
        WHERE s.id IS NULL OR u.id IS NULL OR t.id IS NULL OR y.id IS NULL
    ) THEN
        RAISE EXCEPTION 'a statement line refers to nothing there is'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'statement_lines_refer_to_what_there_is';
    END IF;
    RETURN NULL;
END $$
"""


def function(create, signature):
    return migrations.RunSQL(create, f"DROP FUNCTION {signature}")


def trigger(name, on, table, call, *, level="ROW", referencing=""):
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} {on} ON {table} {referencing} FOR EACH {level} EXECUTE FUNCTION {call}()",
        f"DROP TRIGGER {name} ON {table}",
    )


def append_only(table, on="UPDATE OR DELETE OR TRUNCATE"):
    return trigger("append_only", f"BEFORE {on}", table, "govcloud_append_only", level="STATEMENT")


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0001_initial'),
        ('chargeback', '0001_initial'),
        ('metering', '0001_initial'),
    ]

    operations = [
        function(CLOSED_UNTIL, "govcloud_closed_until()"),
        function(REFUSE, "govcloud_month_is_closed(text)"),
        function(SEGMENT, "govcloud_billed_usage_stays()"),
        function(TARIFF, "govcloud_billed_tariff_stays()"),
        function(PRICE, "govcloud_billed_price_stays()"),
        function(STATEMENT, "govcloud_statement_stays()"),
        function(STATEMENTS_ARRIVE, "govcloud_statements_arrive_at_closing()"),
        function(LINES_ARRIVE, "govcloud_lines_arrive_at_closing()"),
        trigger("closed_months", "BEFORE INSERT OR UPDATE OR DELETE", "metering_usagesegment", "govcloud_billed_usage_stays"),
        trigger("closed_months", "BEFORE INSERT OR UPDATE OR DELETE", "chargeback_tariff", "govcloud_billed_tariff_stays"),
        trigger("closed_months", "BEFORE UPDATE OR DELETE", "chargeback_price", "govcloud_billed_price_stays"),
        trigger("closed_months", "BEFORE UPDATE", "chargeback_statement", "govcloud_statement_stays"),
        trigger(
            "closed_months_insert", "AFTER INSERT", "chargeback_statement", "govcloud_statements_arrive_at_closing",
            level="STATEMENT", referencing="REFERENCING NEW TABLE AS fresh",
        ),
        trigger(
            "closed_months_insert", "AFTER INSERT", "chargeback_statementline", "govcloud_lines_arrive_at_closing",
            level="STATEMENT", referencing="REFERENCING NEW TABLE AS fresh",
        ),
        append_only("chargeback_monthclose"),
        append_only("chargeback_statementline"),
        append_only("chargeback_statement", on="DELETE OR TRUNCATE"),
    ]
