-- Why: what is sold (plans, tariffs, numbers and their topics) and to whom (customers, subscriptions). A plan version never
-- changes once it is published: it may only be inserted. Ownership of numbers is dated, because calls may arrive late.

CREATE TABLE number (
  id uuid PRIMARY KEY,
  e164 text NOT NULL UNIQUE CHECK (e164 ~ '^\+[1-9][0-9]{3,14}$'),
  kind text NOT NULL CHECK (kind IN ('local', 'premium', 'toll_free', 'mobile'))
);
COMMENT ON TABLE number IS 'A DID, whoever has it.';

CREATE TABLE number_assignment (
  number_id uuid NOT NULL REFERENCES number,
  organisation_id uuid NOT NULL REFERENCES organisation,
  during tstzrange NOT NULL CHECK (NOT isempty(during)),
  EXCLUDE USING gist (number_id WITH =, during WITH &&)
);
CREATE INDEX number_assignment_of ON number_assignment (organisation_id);
COMMENT ON TABLE number_assignment IS 'Whose a number is, from when to when.';
CALL raise_global('number_assignment', 'organisation_id = current_tenant_id()');
CALL raise_global('number', 'EXISTS (SELECT 1 FROM number_assignment a WHERE a.number_id = number.id)');

CREATE TABLE customer (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  -- the same value under the name that the wall of a portal customer looks at
  customer_id uuid NOT NULL GENERATED ALWAYS AS (id) STORED,
  customer_no text NOT NULL,
  name text NOT NULL CHECK (name <> ''),
  -- what a search by prefix reads: a stored column, because lower() is not leakproof and would keep a policy from using an index
  name_key text NOT NULL GENERATED ALWAYS AS (lower(name)) STORED,
  email text,
  -- the child organisation that this customer is, if it is one
  organisation_id uuid,
  billing text NOT NULL CHECK (billing IN ('prepaid', 'postpaid')),
  currency char(3) NOT NULL,
  time_zone text NOT NULL,
  country char(2) NOT NULL,
  address_lines text[] NOT NULL DEFAULT '{}',
  tax_id text,
  tax_treatment text NOT NULL DEFAULT 'standard' CHECK (tax_treatment IN ('standard', 'reverse_charge', 'exempt', 'out_of_scope')),
  payment_terms_days int NOT NULL DEFAULT 14 CHECK (payment_terms_days BETWEEN 0 AND 365),
  -- anchor of the monthly period in which tariff calls are put on a document
  anchor_on date NOT NULL,
  created_at timestamptz NOT NULL,
  closed_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, customer_no)
);
CREATE INDEX customer_by_name ON customer (tenant_id, name_key text_pattern_ops, id);
CREATE UNIQUE INDEX customer_of_organisation ON customer (tenant_id, organisation_id) WHERE organisation_id IS NOT NULL AND closed_at IS NULL;
COMMENT ON TABLE customer IS 'Somebody who is charged in this book: a caller, a client company, or a child organisation.';
CALL raise_wall('customer', 'customer', 'change');

CREATE TABLE customer_phone (
  tenant_id uuid NOT NULL REFERENCES organisation,
  e164 text NOT NULL,
  customer_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, e164),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
COMMENT ON TABLE customer_phone IS 'Callers known by their number; unique per book.';
CALL raise_wall('customer_phone', 'customer', 'full');

CREATE TABLE customer_pin (
  tenant_id uuid NOT NULL REFERENCES organisation,
  account_no text NOT NULL CHECK (account_no ~ '^[0-9]{4,12}$'),
  customer_id uuid NOT NULL,
  pin_hash text NOT NULL,
  failed_attempts int NOT NULL DEFAULT 0,
  last_failed_at timestamptz,
  PRIMARY KEY (tenant_id, account_no),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
COMMENT ON TABLE customer_pin IS 'Callers known by account number and PIN, entered by keys.';
CALL raise_wall('customer_pin', 'customer', 'change');

CREATE TABLE tariff (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  name text NOT NULL,
  version int NOT NULL CHECK (version > 0),
  currency char(3) NOT NULL,
  -- the tariff document (connection fee, steps, increments, bands ..)
  document jsonb NOT NULL,
  published_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name, version)
);
COMMENT ON TABLE tariff IS 'The price of one call, known while it runs. A version never changes; prices include tax.';
CALL raise_wall('tariff', 'catalogue', 'append');

CREATE TABLE number_setting (
  tenant_id uuid NOT NULL REFERENCES organisation,
  number_id uuid NOT NULL,
  label text NOT NULL,
  language text NOT NULL DEFAULT 'en',
  unknown_callers text NOT NULL DEFAULT 'ask_pin' CHECK (unknown_callers IN ('ask_pin', 'refuse')),
  PRIMARY KEY (tenant_id, number_id)
);
COMMENT ON TABLE number_setting IS 'How a number answers.';
CALL raise_wall('number_setting', 'catalogue', 'change');

CREATE TABLE topic (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  number_id uuid NOT NULL,
  digit int NOT NULL CHECK (digit BETWEEN 0 AND 9),
  name text NOT NULL,
  tariff_id uuid NOT NULL,
  -- what starts the meter: the agent's joining, or the topic itself where music or a recording is the service
  meter_starts text NOT NULL DEFAULT 'agent_joined' CHECK (meter_starts IN ('agent_joined', 'topic_chosen')),
  removed_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, tariff_id) REFERENCES tariff (tenant_id, id),
  FOREIGN KEY (tenant_id, number_id) REFERENCES number_setting (tenant_id, number_id)
);
CREATE UNIQUE INDEX topic_digit ON topic (tenant_id, number_id, digit) WHERE removed_at IS NULL;
COMMENT ON TABLE topic IS 'A choice 0-9 of a number, and the tariff that it points to.';
CALL raise_wall('topic', 'catalogue', 'change');

-- In the seller's book: on what terms a child has a number. Rental is a flat component of its plan.
CREATE TABLE number_terms (
  tenant_id uuid NOT NULL REFERENCES organisation,
  number_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  -- the seller's share of the level below's net charge, in percent; 0 = rental only
  share_percent numeric(6,3) NOT NULL DEFAULT 0 CHECK (share_percent BETWEEN 0 AND 100),
  PRIMARY KEY (tenant_id, number_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
COMMENT ON TABLE number_terms IS 'Revenue split of a number between a seller and the customer that has it.';
CALL raise_wall('number_terms', 'customer', 'change');

CREATE TABLE plan (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  code text NOT NULL CHECK (code ~ '^[a-z0-9-]{2,60}$'),
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  is_add_on boolean NOT NULL DEFAULT false,
  archived_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, code)
);
COMMENT ON TABLE plan IS 'Something that is sold by subscription; an add-on attaches to one.';
CALL raise_wall('plan', 'catalogue', 'change');

CREATE TABLE plan_version (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  plan_id uuid NOT NULL,
  version int NOT NULL CHECK (version > 0),
  currency char(3) NOT NULL,
  term_months int NOT NULL CHECK (term_months > 0),
  trial_days int NOT NULL DEFAULT 0 CHECK (trial_days >= 0),
  -- percent off recurring components for this term
  term_discount_percent numeric(6,3) NOT NULL DEFAULT 0 CHECK (term_discount_percent BETWEEN 0 AND 100),
  -- least amount of usage components a period, micros; 0 = none
  commitment_micros bigint NOT NULL DEFAULT 0 CHECK (commitment_micros >= 0),
  features text[] NOT NULL DEFAULT '{}',
  published_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, plan_id, version),
  FOREIGN KEY (tenant_id, plan_id) REFERENCES plan (tenant_id, id)
);
COMMENT ON TABLE plan_version IS 'The terms of a plan. Insert and read only: a change is a new version.';
CALL raise_wall('plan_version', 'catalogue', 'append');

CREATE TABLE component (
  tenant_id uuid NOT NULL REFERENCES organisation,
  plan_version_id uuid NOT NULL,
  -- lasts across versions and plans
  key text NOT NULL CHECK (key ~ '^[a-z0-9_]{1,40}$'),
  position int NOT NULL,
  kind text NOT NULL CHECK (kind IN ('flat', 'seat', 'usage', 'hours', 'channels', 'percent', 'one_off')),
  name text NOT NULL,
  -- usage, hours: code of the meter; seat: assigned, active, peak or daily
  measure text,
  -- dimensions that usage must have, {"handled_by":"overflow"}
  filter jsonb NOT NULL DEFAULT '{}',
  -- included each period before the price applies (minutes, calls, channels)
  included numeric(20,6) NOT NULL DEFAULT 0 CHECK (included >= 0),
  -- the price document (per_unit, graduated, volume ..)
  price jsonb NOT NULL,
  billed text NOT NULL CHECK (billed IN ('in_advance', 'in_arrears')),
  PRIMARY KEY (tenant_id, plan_version_id, key),
  FOREIGN KEY (tenant_id, plan_version_id) REFERENCES plan_version (tenant_id, id)
);
COMMENT ON TABLE component IS 'What a plan version charges for, and how.';
CALL raise_wall('component', 'catalogue', 'append');

CREATE TABLE subscription (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  plan_version_id uuid NOT NULL,
  status text NOT NULL CHECK (status IN ('trial', 'active', 'cancelled')),
  anchor_on date NOT NULL,
  -- zone frozen for period bounds
  time_zone text NOT NULL,
  -- assigned seats
  seats int NOT NULL DEFAULT 0 CHECK (seats >= 0),
  started_at timestamptz NOT NULL,
  trial_ends_at timestamptz,
  cancelled_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, plan_version_id) REFERENCES plan_version (tenant_id, id)
);
CREATE INDEX subscription_of_customer ON subscription (tenant_id, customer_id);
COMMENT ON TABLE subscription IS 'A customer on a plan version.';
CALL raise_wall('subscription', 'customer', 'change');

CREATE TABLE subscription_add_on (
  tenant_id uuid NOT NULL REFERENCES organisation,
  subscription_id uuid NOT NULL,
  plan_version_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (tenant_id, subscription_id, plan_version_id, started_at),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id),
  FOREIGN KEY (tenant_id, plan_version_id) REFERENCES plan_version (tenant_id, id)
);
COMMENT ON TABLE subscription_add_on IS 'An add-on attached to a subscription.';
CALL raise_wall('subscription_add_on', 'customer', 'change');

CREATE TABLE service_period (
  tenant_id uuid NOT NULL REFERENCES organisation,
  subscription_id uuid NOT NULL,
  position int NOT NULL CHECK (position >= 0),
  customer_id uuid NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  starts_on date NOT NULL,
  ends_on date NOT NULL,
  -- since when the bounds are frozen
  opened_at timestamptz NOT NULL,
  CHECK (starts_at < ends_at AND starts_on < ends_on),
  PRIMARY KEY (tenant_id, subscription_id, position),
  UNIQUE (tenant_id, subscription_id, starts_at),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id)
);
COMMENT ON TABLE service_period IS 'A subscription''s billing periods; bounds are frozen when one opens. position counts from the anchor.';
CALL raise_wall('service_period', 'customer', 'append');

CREATE TABLE customer_event (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  at timestamptz NOT NULL,
  kind text NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX customer_event_by_time ON customer_event (tenant_id, customer_id, at);
COMMENT ON TABLE customer_event IS 'A customer''s timeline: subscribed, trial ended, top-up, invoice, payment ..';
CALL raise_wall('customer_event', 'customer', 'append');
