-- Why: calls go out, too. A rate deck says what each prefix costs or is sold for, version by version; carriers take calls, each
-- by its own cost deck; each book decides what it lets its customers spend on outgoing calls, and keeps what it decided.

CREATE TABLE rate_deck (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  -- sell: what customers pay; cost: what a carrier asks; payout: what a carrier pays for a call that it brings
  kind text NOT NULL CHECK (kind IN ('sell', 'cost', 'payout')),
  currency char(3) NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);
COMMENT ON TABLE rate_deck IS 'Prefixes and their rates, under one name through all versions.';
CALL raise_wall('rate_deck', 'book', 'append');

CREATE TABLE rate_deck_version (
  tenant_id uuid NOT NULL REFERENCES organisation,
  deck_id uuid NOT NULL,
  version int NOT NULL CHECK (version > 0),
  prefixes int NOT NULL CHECK (prefixes > 0),
  -- what was imported: the same content again is the same version
  content_hash bytea NOT NULL,
  -- where it came from: a file's name
  source text NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  PRIMARY KEY (tenant_id, deck_id, version),
  UNIQUE (tenant_id, deck_id, content_hash),
  FOREIGN KEY (tenant_id, deck_id) REFERENCES rate_deck (tenant_id, id)
);
COMMENT ON TABLE rate_deck_version IS 'What was imported at one time. It never changes; until it is published it is a draft.';
CALL raise_wall('rate_deck_version', 'book', 'append');

CREATE TABLE rate_deck_row (
  tenant_id uuid NOT NULL,
  deck_id uuid NOT NULL,
  version int NOT NULL,
  prefix text NOT NULL CHECK (prefix ~ '^[0-9]{1,15}$'),
  destination text NOT NULL,
  -- per minute, at the beginning of a call
  rate numeric NOT NULL CHECK (rate >= 0),
  -- where a rate by the second does not say all: connection, increments, steps, bands
  tariff jsonb,
  PRIMARY KEY (tenant_id, deck_id, version, prefix),
  FOREIGN KEY (tenant_id, deck_id, version) REFERENCES rate_deck_version (tenant_id, deck_id, version)
);
COMMENT ON TABLE rate_deck_row IS 'What a prefix costs in one version of a deck.';
CALL raise_wall('rate_deck_row', 'book', 'append');

CREATE TABLE rate_deck_publication (
  tenant_id uuid NOT NULL REFERENCES organisation,
  deck_id uuid NOT NULL,
  position int NOT NULL CHECK (position > 0),
  version int NOT NULL,
  effective_from timestamptz NOT NULL,
  published_at timestamptz NOT NULL,
  published_by text NOT NULL,
  -- undone before it took effect
  withdrawn_at timestamptz CHECK (withdrawn_at < effective_from),
  PRIMARY KEY (tenant_id, deck_id, position),
  FOREIGN KEY (tenant_id, deck_id, version) REFERENCES rate_deck_version (tenant_id, deck_id, version)
);
COMMENT ON TABLE rate_deck_publication IS 'From when on which version holds: the last one that has begun. A former version is published again to come back.';
CALL raise_wall('rate_deck_publication', 'book', 'change');

-- Bought minutes are owed to whoever carried them.
ALTER TABLE account DROP CONSTRAINT account_kind_check;
ALTER TABLE account ADD CONSTRAINT account_kind_check CHECK (kind IN ('wallet', 'promotional_credit', 'receivable', 'unbilled',
  'revenue', 'deferred_revenue', 'tax', 'discount', 'partner_payable', 'due_from_seller', 'carrier_cost', 'carrier_payable',
  'processor_clearing', 'exchange', 'rounding', 'bad_debt'));

CREATE TABLE carrier (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  code text NOT NULL CHECK (code ~ '^[a-z0-9-]{1,40}$'),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  cost_deck_id uuid NOT NULL,
  -- calls at once, and calls begun in a second; NULL: as many as there are
  channels_max int CHECK (channels_max > 0),
  calls_per_second_max int CHECK (calls_per_second_max > 0),
  is_up boolean NOT NULL,
  -- of two that cost the same the lower one is first
  priority int NOT NULL CHECK (priority BETWEEN 0 AND 1000),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, code),
  FOREIGN KEY (tenant_id, cost_deck_id) REFERENCES rate_deck (tenant_id, id)
);
COMMENT ON TABLE carrier IS 'Who takes calls of this book to the world.';
CALL raise_wall('carrier', 'book', 'change');

-- Rows of an outgoing call stand where the call happened (tenant_id, for distribution), and belong to the book of their level,
-- as its legs do: nobody reads what another level decided.
CREATE TABLE carrier_attempt (
  tenant_id uuid NOT NULL REFERENCES organisation,
  book_id uuid NOT NULL,
  call_id uuid NOT NULL,
  position int NOT NULL CHECK (position > 0),
  carrier_id uuid NOT NULL,
  at timestamptz NOT NULL,
  -- NULL while it rings
  is_answered boolean,
  -- what the carrier said instead: 503, timeout
  failure text,
  PRIMARY KEY (tenant_id, call_id, book_id, position)
);
CREATE INDEX carrier_attempt_by_time ON carrier_attempt (book_id, carrier_id, at);
COMMENT ON TABLE carrier_attempt IS 'Calls given to a carrier, in their order: what its answer ratio is counted from.';

CREATE TABLE outgoing_policy (
  tenant_id uuid PRIMARY KEY REFERENCES organisation,
  -- for customers without one of their own
  sell_deck_id uuid,
  loss_guard text NOT NULL CHECK (loss_guard IN ('refuse', 'flag')),
  minimum_margin_percent numeric(6,3) NOT NULL CHECK (minimum_margin_percent BETWEEN 0 AND 100),
  -- a carrier that answers less of its last calls is left out
  minimum_answer_percent numeric(6,3) NOT NULL CHECK (minimum_answer_percent BETWEEN 0 AND 100),
  changed_at timestamptz NOT NULL,
  FOREIGN KEY (tenant_id, sell_deck_id) REFERENCES rate_deck (tenant_id, id)
);
COMMENT ON TABLE outgoing_policy IS 'How a book sells and routes outgoing calls; without a row none go out.';
CALL raise_wall('outgoing_policy', 'book', 'change');

CREATE TABLE spend_limit (
  tenant_id uuid NOT NULL REFERENCES organisation,
  -- the nil uuid: every customer that has none of its own
  customer_id uuid NOT NULL,
  is_open boolean NOT NULL,
  sell_deck_id uuid,
  -- amounts in the customer's currency; NULL: no limit
  call_micros bigint CHECK (call_micros >= 0),
  hour_micros bigint CHECK (hour_micros >= 0),
  day_micros bigint CHECK (day_micros >= 0),
  calls_at_once_max int CHECK (calls_at_once_max >= 0),
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, customer_id),
  FOREIGN KEY (tenant_id, sell_deck_id) REFERENCES rate_deck (tenant_id, id)
);
COMMENT ON TABLE spend_limit IS 'What a customer may spend on outgoing calls, in one, in an hour, in a day, and how many at once.';
CALL raise_wall('spend_limit', 'book', 'full');

CREATE TABLE destination_class (
  tenant_id uuid NOT NULL REFERENCES organisation,
  code text NOT NULL CHECK (code ~ '^[a-z0-9_]{1,40}$'),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  prefixes text[] NOT NULL,
  is_open boolean NOT NULL,
  -- for one customer in a day; NULL: no limit of its own
  day_micros bigint CHECK (day_micros >= 0),
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, code)
);
COMMENT ON TABLE destination_class IS 'Prefixes that this book looks at apart, where it differs from the list that comes with the program.';
CALL raise_wall('destination_class', 'book', 'change');

CREATE TABLE customer_destination (
  tenant_id uuid NOT NULL REFERENCES organisation,
  customer_id uuid NOT NULL,
  code text NOT NULL,
  is_open boolean NOT NULL,
  changed_at timestamptz NOT NULL,
  changed_by text NOT NULL,
  PRIMARY KEY (tenant_id, customer_id, code),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
COMMENT ON TABLE customer_destination IS 'A class of destinations opened or closed for one customer.';
CALL raise_wall('customer_destination', 'book', 'full');

CREATE TABLE outgoing_call (
  -- where the caller is
  tenant_id uuid NOT NULL REFERENCES organisation,
  call_id uuid NOT NULL,
  book_id uuid NOT NULL,
  -- who pays in this book: the caller, or the level below
  customer_id uuid NOT NULL,
  called text NOT NULL,
  -- class of the destination
  class text,
  started_at timestamptz NOT NULL,
  -- whom this book bought it from; NULL: its seller, or nobody
  carrier_id uuid,
  -- prices of both sides, the routes in their order, and those refused with the reason
  decision jsonb NOT NULL,
  -- why somebody should look at it: it loses money
  flag text,
  currency char(3) NOT NULL,
  -- the most that it may have come to by now; counts as spent until it ends
  held_micros bigint NOT NULL CHECK (held_micros >= 0),
  charge_micros bigint CHECK (charge_micros >= 0),
  cost_micros bigint CHECK (cost_micros >= 0),
  -- a call that nobody ends is none any more after this
  lease_until timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (tenant_id, call_id, book_id)
);
CREATE INDEX outgoing_call_of_customer ON outgoing_call (book_id, customer_id, started_at);
CREATE INDEX outgoing_call_by_time ON outgoing_call (book_id, started_at DESC);
CREATE INDEX outgoing_call_running ON outgoing_call (book_id, carrier_id) WHERE ended_at IS NULL;
COMMENT ON TABLE outgoing_call IS 'An outgoing call as one book knows it: the route, why, and what it counts against limits.';

DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['carrier_attempt', 'outgoing_call'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY book_wall ON %I TO ringtill_tenant USING (book_id = current_tenant_id() AND current_customer_id() IS NULL)
      WITH CHECK (book_id = current_tenant_id() AND current_customer_id() IS NULL)', name);
    EXECUTE format('CREATE POLICY platform_reads ON %I FOR SELECT TO ringtill_platform USING (true)', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO ringtill_tenant', name);
    EXECUTE format('GRANT SELECT ON %I TO ringtill_platform', name);
  END LOOP;
END $$;

CREATE TABLE spend_alert (
  tenant_id uuid NOT NULL REFERENCES organisation,
  customer_id uuid NOT NULL,
  -- which limit: call, hour, day, class, calls_at_once, closed
  guard text NOT NULL,
  hour timestamptz NOT NULL,
  at timestamptz NOT NULL,
  call_id uuid NOT NULL,
  detail text NOT NULL,
  PRIMARY KEY (tenant_id, customer_id, guard, hour),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX spend_alert_by_time ON spend_alert (tenant_id, at DESC);
COMMENT ON TABLE spend_alert IS 'A limit that was reached: once for each customer, limit and hour.';
CALL raise_wall('spend_alert', 'book', 'append');

-- An outgoing call is by one of the book's numbers, to anywhere; a deck says what it costs.
ALTER TABLE call
  ADD COLUMN direction text NOT NULL DEFAULT 'inbound' CHECK (direction IN ('inbound', 'outbound')),
  ADD COLUMN deck_id uuid,
  ADD COLUMN deck_version int,
  ADD FOREIGN KEY (tenant_id, deck_id, deck_version) REFERENCES rate_deck_version (tenant_id, deck_id, version);
COMMENT ON COLUMN call.deck_version IS 'Version of the rate deck whose prefix charges the call: an outgoing one has no topic.';
