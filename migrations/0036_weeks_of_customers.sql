-- Why: a page that compares the customers of a month read a row for each customer and day. Whole weeks are one row each.

CREATE TABLE usage_customer_week (
  tenant_id uuid NOT NULL,
  meter text NOT NULL,
  -- its Monday, of the customer's own civil days
  week_on date NOT NULL,
  customer_id uuid NOT NULL,
  quantity numeric(30,6) NOT NULL,
  events bigint NOT NULL,
  PRIMARY KEY (tenant_id, meter, week_on, customer_id)
);
COMMENT ON TABLE usage_customer_week IS 'Usage of each customer by civil week, whatever the dimensions, folded with usage_rollup. For pages that compare customers.';
CALL raise_wall('usage_customer_week', 'customer', 'full');

-- What was folded before. The owner of the schema is behind the wall, too, unless it steps out for a moment.
ALTER TABLE usage_customer_week NO FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_customer_day NO FORCE ROW LEVEL SECURITY;
ALTER TABLE meter NO FORCE ROW LEVEL SECURITY;
INSERT INTO usage_customer_week (tenant_id, meter, week_on, customer_id, quantity, events)
SELECT d.tenant_id, d.meter, date_trunc('week', d.on_day::timestamp)::date, d.customer_id,
       CASE WHEN m.aggregation NOT IN ('sum', 'count') THEN max(d.quantity) ELSE sum(d.quantity) END, sum(d.events)
FROM usage_customer_day d LEFT JOIN meter m ON m.tenant_id = d.tenant_id AND m.code = d.meter
WHERE d.dimensions_hash = '' GROUP BY d.tenant_id, d.meter, 3, d.customer_id, m.aggregation;
ALTER TABLE meter FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_customer_day FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_customer_week FORCE ROW LEVEL SECURITY;
