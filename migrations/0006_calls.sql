-- Why: a call is kept once, where it happened, with what it was charged and why. Its legs (what each level sells and buys it
-- for) stand beside it, each readable only by the book that it belongs to.

CREATE TABLE call (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  started_at timestamptz NOT NULL,
  answered_at timestamptz,
  meter_started_at timestamptz,
  ended_at timestamptz,
  number_id uuid NOT NULL,
  called text NOT NULL,
  caller text,
  customer_id uuid,
  topic_id uuid,
  topic_name text,
  digit int,
  agent_id uuid,
  -- ringing, menu, queued, talking, held, ended
  state text NOT NULL CHECK (state IN ('menu', 'queued', 'talking', 'held', 'ended')),
  end_cause text,
  metered_ms bigint CHECK (metered_ms >= 0),
  estimated boolean NOT NULL DEFAULT false,
  -- how it is charged: by the topic's tariff, by a subscription's component, or not at all; decided before the first increment
  charged_by text CHECK (charged_by IN ('tariff', 'component', 'nothing')),
  tariff_id uuid,
  subscription_id uuid,
  component_key text,
  -- core: by an agent; overflow: by an agent of another team; music: nobody was there, or music is the service
  handled_by text CHECK (handled_by IN ('core', 'overflow', 'music')),
  -- a prepaid book above holds money for it too
  holds_upward boolean NOT NULL DEFAULT false,
  currency char(3),
  -- whole seconds authorised; NULL while unlimited
  authorised_seconds int,
  charge_micros bigint CHECK (charge_micros >= 0),
  billed_seconds int,
  -- charge without tax
  net_micros bigint,
  tax_percent numeric(6,3),
  settled_at timestamptz,
  transaction_id uuid,
  -- which price, why, and the derivation
  explanation jsonb,
  -- the edge's last sign of life
  last_seen_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, transaction_id) REFERENCES ledger_transaction (tenant_id, id),
  CHECK ((state = 'ended') = (ended_at IS NOT NULL))
);
CREATE INDEX call_by_time ON call (tenant_id, started_at DESC, id DESC);
CREATE INDEX call_of_customer ON call (tenant_id, customer_id, started_at DESC, id DESC);
CREATE INDEX call_live ON call (tenant_id, started_at) WHERE ended_at IS NULL;
-- the edge knows a call's id and nothing of tenants
CREATE INDEX call_by_id ON call (id);
COMMENT ON TABLE call IS 'One call to a number of this tenant.';
CALL raise_wall('call', 'customer', 'change');

CREATE TABLE call_event (
  tenant_id uuid NOT NULL REFERENCES organisation,
  call_id uuid NOT NULL,
  kind text NOT NULL,
  seq int NOT NULL,
  at timestamptz NOT NULL,
  offset_ms bigint NOT NULL,
  detail jsonb NOT NULL,
  PRIMARY KEY (tenant_id, call_id, seq, kind)
);
COMMENT ON TABLE call_event IS 'The timeline of a call, as the edge told it.';
CALL raise_wall('call_event', 'book', 'append');

-- The one exception to the tenant policy: tenant_id says where the call happened (for distribution), book_id whose leg it is.
CREATE TABLE call_leg (
  tenant_id uuid NOT NULL REFERENCES organisation,
  call_id uuid NOT NULL,
  book_id uuid NOT NULL,
  -- caller: what the caller pays; seller: what the book above charges the level below; carrier: what the carrier costs
  kind text NOT NULL CHECK (kind IN ('caller', 'seller', 'carrier')),
  customer_id uuid,
  currency char(3) NOT NULL,
  quantity_seconds int NOT NULL,
  -- what the leg is sold for in book_id; NULL where a tiered price decides at the period's end
  amount_micros bigint,
  -- share in percent where the leg is a revenue split, else NULL
  share_percent numeric(6,3),
  detail text NOT NULL DEFAULT '',
  settled_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, call_id, book_id, kind)
);
CREATE INDEX call_leg_of_book ON call_leg (book_id, settled_at);
COMMENT ON TABLE call_leg IS 'What a call costs at each level. Nobody reads the leg of another level, but the level below knows what it pays: it is its purchase.';
ALTER TABLE call_leg ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_leg FORCE ROW LEVEL SECURITY;
CREATE POLICY book_wall ON call_leg TO ringtill_tenant
  USING (book_id = current_tenant_id() AND (current_customer_id() IS NULL OR customer_id = current_customer_id()))
  WITH CHECK (book_id = current_tenant_id() AND current_customer_id() IS NULL);
CREATE POLICY platform_reads ON call_leg FOR SELECT TO ringtill_platform USING (true);
GRANT SELECT, INSERT ON call_leg TO ringtill_tenant;
GRANT SELECT ON call_leg TO ringtill_platform;

-- What the level below knows of the leg above it: its purchase price, projected into its own book.
CREATE TABLE call_cost (
  tenant_id uuid NOT NULL REFERENCES organisation,
  call_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('seller', 'carrier')),
  amount_micros bigint,
  currency char(3) NOT NULL,
  share_percent numeric(6,3),
  detail text NOT NULL,
  settled_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, call_id, kind)
);
COMMENT ON TABLE call_cost IS 'What a call costs this tenant: bought from its seller or a carrier. Margin = charge net - these.';
CALL raise_wall('call_cost', 'book', 'append');

CREATE TABLE call_correction (
  tenant_id uuid NOT NULL REFERENCES organisation,
  call_id uuid NOT NULL,
  position int NOT NULL CHECK (position > 0),
  customer_id uuid,
  at timestamptz NOT NULL,
  amount_micros bigint NOT NULL,
  reason text NOT NULL,
  transaction_id uuid,
  PRIMARY KEY (tenant_id, call_id, position),
  FOREIGN KEY (tenant_id, call_id) REFERENCES call (tenant_id, id)
);
COMMENT ON TABLE call_correction IS 'A difference to a settled call (an edge came back with the true length), once each.';
CALL raise_wall('call_correction', 'customer', 'append');
