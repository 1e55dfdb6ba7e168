-- Why: who sells a plan looks at the moves to its versions, the newest first, whoever they are of: without an order of their own every
-- change that was ever asked for in the book is read for it.

CREATE INDEX subscription_change_by_version ON subscription_change (tenant_id, plan_version_id, asked_at, id)
  WHERE plan_version_id IS NOT NULL;
