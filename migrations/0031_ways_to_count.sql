-- Why: a meter may also count different values, say a percentile, or say how many were at once. None of these of a month is the sum
-- of its hours. Different values and percentiles are kept by value, in the dimensions of the same sums as ever: so each hour, day
-- and month is exact, whatever comes late. How many were at once is swept, hour by hour, over what begins and ends in it: an hour
-- that a new event touches is dirty until then, and a bill waits for it.

ALTER TABLE meter
  DROP CONSTRAINT meter_aggregation_check,
  ADD CONSTRAINT meter_aggregation_check CHECK (aggregation IN ('sum', 'count', 'max', 'unique', 'percentile', 'peak')),
  ADD COLUMN of_dimension text CHECK (length(of_dimension) BETWEEN 1 AND 200),
  ADD COLUMN percent numeric(6,3) CHECK (percent > 0 AND percent <= 100),
  ADD CONSTRAINT meter_counts_values_of CHECK ((aggregation = 'unique') = (of_dimension IS NOT NULL)),
  ADD CONSTRAINT meter_takes_percent CHECK ((aggregation = 'percentile') = (percent IS NOT NULL)),
  -- how many were at once of all is no sum of how many were of each
  ADD CONSTRAINT meter_peak_is_one CHECK (aggregation <> 'peak' OR dimensions = '{}');
COMMENT ON COLUMN meter.of_dimension IS 'unique: the dimension whose different values count.';
COMMENT ON COLUMN meter.percent IS 'percentile: at least so many percent of the events are not above it.';

-- The least quantity that so many percent of the events do not exceed.
CREATE FUNCTION usage_percentile(quantities numeric[], events bigint[], percent numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT quantity FROM (
    SELECT quantity, sum(n) OVER (ORDER BY quantity) AS until_here, sum(n) OVER () AS all_of_them
    FROM unnest(quantities, events) AS u(quantity, n)) q
  WHERE until_here * 100 >= all_of_them * percent ORDER BY quantity LIMIT 1
$$;

CREATE TABLE usage_span (
  tenant_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  meter text NOT NULL,
  -- an event stands in each hour that it touches
  hour timestamptz NOT NULL,
  batch_id uuid NOT NULL,
  position int NOT NULL,
  -- nil where the event names none
  subscription_id uuid NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL CHECK (ended_at > started_at),
  PRIMARY KEY (tenant_id, customer_id, meter, hour, batch_id, position)
);
COMMENT ON TABLE usage_span IS 'From when to when events of meters of peaks lasted, hour by hour; the sweep reads them and nothing else does.';
CALL raise_wall('usage_span', 'customer', 'append');
-- They leave with the keys: what is so old touches no hour that could still become dirty.
CREATE INDEX usage_span_by_hour ON usage_span USING brin (hour);
CREATE POLICY platform_prunes ON usage_span FOR DELETE TO ringtill_platform USING (hour < now() - interval '13 months');
GRANT DELETE ON usage_span TO ringtill_platform;

CREATE TABLE usage_dirty_hour (
  tenant_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  meter text NOT NULL,
  hour timestamptz NOT NULL,
  -- each batch marks for itself: nobody waits for another's mark, and none is lost to a sweep that has not seen its events
  batch_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, customer_id, meter, hour, batch_id)
);
COMMENT ON TABLE usage_dirty_hour IS 'Hours that have events which no sweep has seen; marked in the events'' own transaction. A bill waits until none of its hours stands here.';
CALL raise_wall('usage_dirty_hour', 'customer', 'full');
