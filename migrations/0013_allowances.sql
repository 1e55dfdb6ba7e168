-- Why: what a subscription includes (minutes, calls) is a balance that live calls promise themselves, like money: two calls
-- cannot both talk for the last included minute. Quantities are millionths of the meter's unit, rounded as usage is.
-- An allowance is of one component and one stretch of time with the same terms: a service period, or its segment after a change.

CREATE TABLE allowance (
  tenant_id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  component_key text NOT NULL,
  -- the stretch: [starts_at, ends_at)
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  customer_id uuid NOT NULL,
  -- code of the meter whose unit it counts
  meter text NOT NULL,
  -- what the terms include in this stretch
  included_micros bigint NOT NULL CHECK (included_micros >= 0),
  -- all that was used in it, included or not: what the uses below sum to, and what came by another way than a call
  used_micros bigint NOT NULL DEFAULT 0,
  other_micros bigint NOT NULL DEFAULT 0,
  -- what of it was told to be free; less than what will be while calls still hold some, never more
  free_micros bigint NOT NULL DEFAULT 0 CHECK (free_micros >= 0),
  -- kept equal to the sum of open holds
  reserved_micros bigint NOT NULL DEFAULT 0 CHECK (reserved_micros >= 0),
  -- what was free or promised already when a change of terms made the stretch include less
  overdrawn_micros bigint NOT NULL DEFAULT 0 CHECK (overdrawn_micros >= 0),
  CHECK (starts_at < ends_at),
  -- the net under every guarded update
  CONSTRAINT allowance_keeps_its_floor CHECK (free_micros + reserved_micros <= included_micros + overdrawn_micros),
  PRIMARY KEY (tenant_id, subscription_id, component_key, starts_at),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id)
);
CREATE INDEX allowance_of_customer ON allowance (tenant_id, customer_id, starts_at DESC);
COMMENT ON TABLE allowance IS 'What a subscription includes of a component in a stretch of time, and what calls have made of it.';
CALL raise_wall('allowance', 'customer', 'change');

CREATE TABLE allowance_hold (
  tenant_id uuid NOT NULL,
  call_id uuid NOT NULL,
  component_key text NOT NULL,
  seq int NOT NULL CHECK (seq > 0),
  subscription_id uuid NOT NULL,
  starts_at timestamptz NOT NULL,
  customer_id uuid NOT NULL,
  amount_micros bigint NOT NULL CHECK (amount_micros > 0),
  state text NOT NULL CHECK (state IN ('open', 'settled', 'released', 'expired')),
  created_at timestamptz NOT NULL,
  -- an open hold that nobody extends or settles is released by the worker after this
  lease_until timestamptz NOT NULL,
  closed_at timestamptz,
  PRIMARY KEY (tenant_id, call_id, component_key, seq)
);
CREATE INDEX allowance_hold_open ON allowance_hold (tenant_id, subscription_id, component_key, starts_at) WHERE state = 'open';
CREATE INDEX allowance_hold_lease ON allowance_hold (lease_until) WHERE state = 'open';
COMMENT ON TABLE allowance_hold IS 'Included units promised to a call before it uses them. Its stretch is checked by the statement that takes from it.';
CALL raise_wall('allowance_hold', 'customer', 'change');

CREATE TABLE allowance_use (
  tenant_id uuid NOT NULL,
  call_id uuid NOT NULL,
  component_key text NOT NULL,
  subscription_id uuid NOT NULL,
  starts_at timestamptz NOT NULL,
  customer_id uuid NOT NULL,
  quantity_micros bigint NOT NULL CHECK (quantity_micros >= 0),
  -- above the quantity where units come free that an earlier call was priced for, because others held them then
  free_micros bigint NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, call_id, component_key)
);
CREATE INDEX allowance_use_of ON allowance_use (tenant_id, subscription_id, component_key, starts_at);
COMMENT ON TABLE allowance_use IS 'What a settled call used of a component, and what of it was included. Once for each call.';
CALL raise_wall('allowance_use', 'customer', 'append');
