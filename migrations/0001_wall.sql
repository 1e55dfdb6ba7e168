-- Why: one isolation rule for every book, raised before there is anything to protect.
-- A tenant's transaction says who it is by SET LOCAL app.tenant_id; a portal customer's adds app.customer_id. Without a
-- setting nothing is seen. Every tenant table is raised by `raise_wall` below and by nothing else, so that all walls are alike.
-- Two login roles (made beforehand by `ringtill migrate`): ringtill_tenant sees one tenant, ringtill_platform reads all of
-- them and writes only the global tables. Neither owns anything.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE FUNCTION current_tenant_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;
CREATE FUNCTION current_customer_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.customer_id', true), '')::uuid $$;

-- visibility: 'book' (members of the tenant only), 'customer' (a portal customer sees its own rows: column customer_id),
--             'catalogue' (a portal customer may read it too, for example tariffs)
-- writes:     'append' (insert and read; what is written stays), 'change' (also update), 'full' (also delete)
CREATE PROCEDURE raise_wall(table_name text, visibility text, writes text) LANGUAGE plpgsql AS $$
DECLARE
  seen text := CASE visibility
    WHEN 'book' THEN 'tenant_id = current_tenant_id() AND current_customer_id() IS NULL'
    WHEN 'customer' THEN 'tenant_id = current_tenant_id() AND (current_customer_id() IS NULL OR customer_id = current_customer_id())'
    WHEN 'catalogue' THEN 'tenant_id = current_tenant_id()' END;
  written text := CASE visibility
    WHEN 'customer' THEN seen
    ELSE 'tenant_id = current_tenant_id() AND current_customer_id() IS NULL' END;
  grants text := CASE writes
    WHEN 'append' THEN 'SELECT, INSERT'
    WHEN 'change' THEN 'SELECT, INSERT, UPDATE'
    WHEN 'full' THEN 'SELECT, INSERT, UPDATE, DELETE' END;
BEGIN
  IF seen IS NULL OR grants IS NULL THEN
    RAISE EXCEPTION 'raise_wall(%, %, %): unknown visibility or writes', table_name, visibility, writes;
  END IF;
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
  EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
  EXECUTE format('CREATE POLICY tenant_wall ON %I TO ringtill_tenant USING (%s) WITH CHECK (%s)', table_name, seen, written);
  EXECUTE format('CREATE POLICY platform_reads ON %I FOR SELECT TO ringtill_platform USING (true)', table_name);
  EXECUTE format('GRANT %s ON %I TO ringtill_tenant', grants, table_name);
  EXECUTE format('GRANT SELECT ON %I TO ringtill_platform', table_name);
END $$;

-- A global table (no tenant_id): the platform role reads and writes it; a tenant reads the rows that `tenant_sees` allows.
CREATE PROCEDURE raise_global(table_name text, tenant_sees text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
  EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
  EXECUTE format('CREATE POLICY platform ON %I TO ringtill_platform USING (true) WITH CHECK (true)', table_name);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO ringtill_platform', table_name);
  IF tenant_sees IS NOT NULL THEN
    EXECUTE format('CREATE POLICY tenant_reads ON %I FOR SELECT TO ringtill_tenant USING (%s)', table_name, tenant_sees);
    EXECUTE format('GRANT SELECT ON %I TO ringtill_tenant', table_name);
  END IF;
END $$;

DO $$ BEGIN EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO ringtill_tenant, ringtill_platform', current_database()); END $$;
GRANT USAGE ON SCHEMA public TO ringtill_tenant, ringtill_platform;

CREATE TABLE organisation (
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('operator', 'reseller', 'tenant')),
  name text NOT NULL CHECK (name <> ''),
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9-]{2,40}$'),
  currency char(3) NOT NULL,
  time_zone text NOT NULL,
  country char(2) NOT NULL,
  legal_name text NOT NULL,
  address_lines text[] NOT NULL DEFAULT '{}',
  contact_lines text[] NOT NULL DEFAULT '{}',
  tax_id text,
  -- [["IBAN", "DE.."], ["BIC", ".."]] as printed in a payment block
  bank jsonb NOT NULL DEFAULT '[]',
  -- document language and number prefix
  language text NOT NULL DEFAULT 'en',
  series_prefix text NOT NULL CHECK (series_prefix ~ '^[A-Z0-9]{1,8}$'),
  -- rate in percent charged to customers of its own country
  tax_percent numeric(6,3) NOT NULL DEFAULT 0 CHECK (tax_percent >= 0),
  -- a call's charge is rounded to micros, or to the currency's minor unit
  round_calls_to text NOT NULL DEFAULT 'micros' CHECK (round_calls_to IN ('micros', 'minor')),
  created_at timestamptz NOT NULL,
  suspended_at timestamptz
);
COMMENT ON TABLE organisation IS 'A node of the one tree: operator, resellers, tenants. As the owner of a book it is tenant_id elsewhere.';
CALL raise_global('organisation', 'id = current_tenant_id()');

CREATE TABLE organisation_parent (
  organisation_id uuid NOT NULL REFERENCES organisation,
  parent_id uuid NOT NULL REFERENCES organisation,
  during tstzrange NOT NULL CHECK (NOT isempty(during)),
  -- the customer row that stands for the child in the parent's book
  customer_id uuid NOT NULL,
  CHECK (organisation_id <> parent_id),
  EXCLUDE USING gist (organisation_id WITH =, during WITH &&)
);
COMMENT ON TABLE organisation_parent IS 'Who is whose child, from when to when: everything is rated by the parent at the call''s start.';
CALL raise_global('organisation_parent', 'organisation_id = current_tenant_id()');

-- Delivered at least once, in effect once: the natural key makes a message unique.
CREATE TABLE outbox (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  payload jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  attempts int NOT NULL DEFAULT 0,
  last_error text,
  done_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, topic, key)
);
CREATE INDEX outbox_due ON outbox (tenant_id, topic, due_at) WHERE done_at IS NULL;
COMMENT ON TABLE outbox IS 'What must leave a transaction, written in it.';
CALL raise_wall('outbox', 'book', 'change');
