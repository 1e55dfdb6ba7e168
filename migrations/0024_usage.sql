-- Why: a page about usage asks for days of the whole book, and the hours of each customer are too many for that: so what is folded
-- is summed once more without customers, and once more by day. Days are civil days of the customer's own clock, as its hours are.
-- Besides: a plan may have its late usage looked at by a person; and what is old leaves: events month by month as whole
-- partitions, the keys of events when no event that could repeat one would be accepted any more.

CREATE TABLE usage_book_hour (
  tenant_id uuid NOT NULL,
  meter text NOT NULL,
  -- the customers' civil day
  on_day date NOT NULL,
  hour timestamptz NOT NULL,
  dimensions_hash bytea NOT NULL,
  dimensions jsonb NOT NULL,
  quantity numeric(20,6) NOT NULL,
  events bigint NOT NULL,
  PRIMARY KEY (tenant_id, meter, on_day, hour, dimensions_hash)
);
COMMENT ON TABLE usage_book_hour IS 'Usage of all customers together by hour, folded with usage_rollup. For pages.';
CALL raise_wall('usage_book_hour', 'book', 'full');

CREATE TABLE usage_customer_day (
  tenant_id uuid NOT NULL,
  meter text NOT NULL,
  on_day date NOT NULL,
  customer_id uuid NOT NULL,
  -- empty: the day whatever the dimensions
  dimensions_hash bytea NOT NULL,
  dimensions jsonb NOT NULL,
  quantity numeric(20,6) NOT NULL,
  events bigint NOT NULL,
  PRIMARY KEY (tenant_id, meter, dimensions_hash, on_day, customer_id)
);
COMMENT ON TABLE usage_customer_day IS 'Usage of each customer by civil day, by dimensions and in all, folded with usage_rollup. For pages that compare customers.';
CALL raise_wall('usage_customer_day', 'customer', 'full');

-- What was folded before. The owner of the schema is behind the wall, too, unless it steps out for a moment.
ALTER TABLE usage_rollup NO FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_book_hour NO FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_customer_day NO FORCE ROW LEVEL SECURITY;
ALTER TABLE meter NO FORCE ROW LEVEL SECURITY;
ALTER TABLE customer NO FORCE ROW LEVEL SECURITY;
CREATE TEMPORARY VIEW folded AS
  SELECT r.*, (r.hour AT TIME ZONE c.time_zone)::date AS on_day, coalesce(m.aggregation, 'sum') = 'max' AS is_max
  FROM usage_rollup r JOIN customer c ON c.tenant_id = r.tenant_id AND c.id = r.customer_id
  LEFT JOIN meter m ON m.tenant_id = r.tenant_id AND m.code = r.meter;
INSERT INTO usage_book_hour (tenant_id, meter, on_day, hour, dimensions_hash, dimensions, quantity, events)
SELECT tenant_id, meter, on_day, hour, dimensions_hash, dimensions, CASE WHEN is_max THEN max(quantity) ELSE sum(quantity) END, sum(events)
FROM folded GROUP BY tenant_id, meter, on_day, hour, dimensions_hash, dimensions, is_max;
INSERT INTO usage_customer_day (tenant_id, meter, on_day, customer_id, dimensions_hash, dimensions, quantity, events)
SELECT tenant_id, meter, on_day, customer_id, kept.hash, kept.dimensions, CASE WHEN is_max THEN max(quantity) ELSE sum(quantity) END, sum(events)
FROM folded CROSS JOIN LATERAL (VALUES (dimensions_hash, folded.dimensions), ('', '{}')) AS kept(hash, dimensions)
GROUP BY tenant_id, meter, on_day, customer_id, kept.hash, kept.dimensions, is_max;
DROP VIEW folded;
ALTER TABLE customer FORCE ROW LEVEL SECURITY;
ALTER TABLE meter FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_customer_day FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_book_hour FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_rollup FORCE ROW LEVEL SECURITY;

-- Late usage may also wait for a person.
ALTER TABLE plan_version
  DROP CONSTRAINT plan_version_late_usage_check,
  ADD CONSTRAINT plan_version_late_usage_check CHECK (late_usage IN ('bill', 'absorb', 'suspend'));

-- Events leave as whole months. What has left lies in a schema of its own, seen by the owner only, until somebody takes it away;
-- what is not there to be counted again is not counted again.
CREATE SCHEMA usage_archive;
CREATE TABLE usage_kept (
  is_only bool PRIMARY KEY DEFAULT true CHECK (is_only),
  -- events before this instant have left
  from_at timestamptz NOT NULL
);
COMMENT ON TABLE usage_kept IS 'From when on events are kept; no row = all of them.';
CALL raise_global('usage_kept', 'true');

-- Detaches the months before a day, and moves what is older out of the partition that takes all. Answers from when on events are
-- kept now: a month that could still receive an event stays, whoever asks.
CREATE FUNCTION detach_usage_partitions(before_on date) RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  cut_on date := date_trunc('month', least(before_on, (now() - interval '14 months')::date))::date;
  cut_at timestamptz := cut_on::timestamp AT TIME ZONE 'UTC';
  part text;
BEGIN
  -- Better tomorrow than everybody waiting behind this.
  SET LOCAL lock_timeout = '3s';
  FOR part IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'public.usage_event'::regclass AND c.relname ~ '^usage_event_\d{6}$' AND c.relname < format('usage_event_%s', to_char(cut_on, 'YYYYMM'))
    ORDER BY c.relname
  LOOP
    EXECUTE format('ALTER TABLE usage_event DETACH PARTITION %I', part);
    EXECUTE format('ALTER TABLE %I SET SCHEMA usage_archive', part);
  END LOOP;
  IF EXISTS (SELECT 1 FROM usage_event_else WHERE occurred_at < cut_at) THEN
    CREATE TABLE IF NOT EXISTS usage_archive.usage_event_else (LIKE usage_event_else);
    WITH gone AS (DELETE FROM usage_event_else WHERE occurred_at < cut_at RETURNING *)
    INSERT INTO usage_archive.usage_event_else SELECT * FROM gone;
  END IF;
  RETURN cut_at;
END $$;
REVOKE ALL ON FUNCTION detach_usage_partitions(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION detach_usage_partitions(date) TO ringtill_platform;

-- Keys leave after 13 months and no sooner, whoever asks.
CREATE INDEX event_key_by_receipt ON event_key USING brin (received_at);
CREATE INDEX call_event_key_by_receipt ON call_event_key USING brin (received_at);
CREATE POLICY platform_prunes ON event_key FOR DELETE TO ringtill_platform USING (received_at < now() - interval '13 months');
CREATE POLICY platform_prunes ON call_event_key FOR DELETE TO ringtill_platform USING (received_at < now() - interval '13 months');
GRANT DELETE ON event_key, call_event_key TO ringtill_platform;

-- How long something has waited, by cause, for the alarm over all books.
CREATE INDEX suspense_open_anywhere ON suspense (cause, received_at) WHERE resolved_at IS NULL;
