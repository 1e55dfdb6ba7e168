-- Why: usage may come months after its period was billed, and its difference goes on the next document all the same. A bill that
-- looked at all that was ever billed would read a year for each customer; so whoever folds notes the days whose usage came late.

CREATE TABLE usage_late_day (
  tenant_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  -- the customer's civil day
  on_day date NOT NULL,
  noted_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, customer_id, on_day)
);
COMMENT ON TABLE usage_late_day IS 'Days of a customer whose usage came more than four weeks late: for 200 days bills look at their periods again.';
CALL raise_wall('usage_late_day', 'customer', 'change');
