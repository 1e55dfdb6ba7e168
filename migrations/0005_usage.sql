-- Why: usage comes in once and is summed once. Keys live in their own tables and know no time, so the same id is one event
-- whatever its time says. Each batch appends its own sums, a worker folds them, readers add both: nothing hot to fight over.
-- The mass tables hold no foreign key: a look at organisation for each row would cost more than the row, and the policy lets
-- nobody write another tenant_id than the transaction's own.

CREATE TABLE meter (
  tenant_id uuid NOT NULL REFERENCES organisation,
  code text NOT NULL CHECK (code ~ '^[a-z0-9_.]{1,60}$'),
  name text NOT NULL,
  unit text NOT NULL,
  -- how events of an hour become its quantity: the sum of theirs, their number, or the largest of them
  aggregation text NOT NULL CHECK (aggregation IN ('sum', 'count', 'max')),
  -- event fields kept as dimensions
  dimensions text[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (tenant_id, code)
);
COMMENT ON TABLE meter IS 'What is measured: calls, minutes, hours ..';
CALL raise_wall('meter', 'catalogue', 'change');

CREATE TABLE event_key (
  tenant_id uuid NOT NULL,
  source text NOT NULL,
  id text NOT NULL,
  payload_hash bytea NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, source, id)
) PARTITION BY HASH (tenant_id, source, id);
CREATE TABLE event_key_0 PARTITION OF event_key FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE event_key_1 PARTITION OF event_key FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE event_key_2 PARTITION OF event_key FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE event_key_3 PARTITION OF event_key FOR VALUES WITH (MODULUS 4, REMAINDER 3);
COMMENT ON TABLE event_key IS 'Which events are known: (source, id), whatever their time. Another payload under a known key is a conflict.';
CALL raise_wall('event_key', 'book', 'append');

CREATE TABLE call_event_key (
  tenant_id uuid NOT NULL,
  call_id uuid NOT NULL,
  kind text NOT NULL,
  seq int NOT NULL,
  payload_hash bytea NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, call_id, kind, seq)
) PARTITION BY HASH (tenant_id, call_id, kind, seq);
CREATE TABLE call_event_key_0 PARTITION OF call_event_key FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE call_event_key_1 PARTITION OF call_event_key FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE call_event_key_2 PARTITION OF call_event_key FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE call_event_key_3 PARTITION OF call_event_key FOR VALUES WITH (MODULUS 4, REMAINDER 3);
COMMENT ON TABLE call_event_key IS 'The business identity of a call''s events: a second edge with another source cannot count a call twice.';
CALL raise_wall('call_event_key', 'book', 'append');

CREATE TABLE usage_event (
  tenant_id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  id uuid NOT NULL,
  source text NOT NULL,
  source_id text NOT NULL,
  customer_id uuid NOT NULL,
  -- the subscription that the event names, if it names one
  subscription_id uuid,
  meter text NOT NULL,
  -- below zero only where a correction of ours takes something back
  quantity numeric(20,6) NOT NULL,
  dimensions jsonb NOT NULL DEFAULT '{}',
  batch_id uuid NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, occurred_at, id)
) PARTITION BY RANGE (occurred_at);
CREATE TABLE usage_event_else PARTITION OF usage_event DEFAULT;
-- For the audit, which asks what became of the keys of the last hours.
CREATE INDEX usage_event_by_receipt ON usage_event USING brin (received_at);
COMMENT ON TABLE usage_event IS 'Accepted usage, stored once. Monthly partitions are made ahead by ensure_usage_partitions.';
CALL raise_wall('usage_event', 'customer', 'append');

-- Partitions are made by the migrating owner's function, which may do this and nothing else.
CREATE FUNCTION ensure_usage_partitions(from_on date, months int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  first date := date_trunc('month', from_on)::date;
  month date;
  made int := 0;
BEGIN
  IF months NOT BETWEEN 1 AND 60 THEN RAISE EXCEPTION 'between 1 and 60 months'; END IF;
  FOR i IN 0 .. months - 1 LOOP
    month := (first + make_interval(months => i))::date;
    IF to_regclass(format('usage_event_%s', to_char(month, 'YYYYMM'))) IS NULL THEN
      BEGIN
        EXECUTE format('CREATE TABLE usage_event_%s PARTITION OF usage_event FOR VALUES FROM (%L) TO (%L)',
          to_char(month, 'YYYYMM'), month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
        made := made + 1;
      EXCEPTION WHEN check_violation THEN
        -- The month's first events are in the default partition already: they stay there, and so do the rest.
        NULL;
      END;
    END IF;
  END LOOP;
  RETURN made;
END $$;
REVOKE ALL ON FUNCTION ensure_usage_partitions(date, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_usage_partitions(date, int) TO ringtill_platform;

CREATE TABLE usage_sum (
  tenant_id uuid NOT NULL,
  batch_id uuid NOT NULL,
  position int NOT NULL,
  customer_id uuid NOT NULL,
  subscription_id uuid,
  meter text NOT NULL,
  hour timestamptz NOT NULL,
  dimensions jsonb NOT NULL,
  quantity numeric(20,6) NOT NULL,
  events bigint NOT NULL,
  PRIMARY KEY (tenant_id, batch_id, position)
);
COMMENT ON TABLE usage_sum IS 'What one batch adds to an hour; appended in the batch''s own transaction, folded into usage_rollup by the worker. The key makes a batch from another book count once.';
CALL raise_wall('usage_sum', 'customer', 'full');

CREATE TABLE usage_rollup (
  tenant_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  meter text NOT NULL,
  hour timestamptz NOT NULL,
  dimensions_hash bytea NOT NULL,
  dimensions jsonb NOT NULL,
  quantity numeric(20,6) NOT NULL,
  events bigint NOT NULL,
  PRIMARY KEY (tenant_id, customer_id, meter, hour, subscription_id, dimensions_hash)
);
CREATE INDEX usage_rollup_by_hour ON usage_rollup (tenant_id, hour);
COMMENT ON TABLE usage_rollup IS 'Folded sums per hour. subscription_id is the nil uuid where events name none. Bills and pages read this and usage_sum, never events.';
CALL raise_wall('usage_rollup', 'customer', 'full');

CREATE TABLE usage_batch (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  -- natural key of batches that other books send; unique, so that one is taken once
  key text NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, key)
);
COMMENT ON TABLE usage_batch IS 'Batches taken in.';
CALL raise_wall('usage_batch', 'book', 'append');

CREATE TABLE suspense (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  -- unknown_customer, unknown_meter, several_subscriptions, conflict, absurd_time ..
  cause text NOT NULL,
  detail text NOT NULL,
  payload jsonb NOT NULL,
  received_at timestamptz NOT NULL,
  resolved_at timestamptz,
  resolution text,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX suspense_open ON suspense (tenant_id, received_at) WHERE resolved_at IS NULL;
COMMENT ON TABLE suspense IS 'Usage that matches nothing: kept, visible, aged, never dropped.';
CALL raise_wall('suspense', 'book', 'change');
