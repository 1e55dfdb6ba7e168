-- Why: anything that a subscription pays may change on any day. Its terms are how it began plus a list of dated changes;
-- everything else (which plan, which add-ons, how many seats, when paused, when over) is worked out from that list, so that
-- undoing a change is leaving it out, and a preview is the same sum with one change more.
-- Besides: what a plan version may say about caps, trials, late usage, loyalty, limits and the end of its terms; drafts of
-- versions; coupons.

ALTER TABLE plan_version
  -- the most that a period comes to before discounts, micros; null = no cap
  ADD COLUMN fee_cap_micros bigint CHECK (fee_cap_micros >= 0),
  -- usage in a trial costs what it costs, or nothing up to an amount
  ADD COLUMN trial_usage text NOT NULL DEFAULT 'charged' CHECK (trial_usage IN ('charged', 'free')),
  ADD COLUMN trial_usage_cap_micros bigint CHECK (trial_usage_cap_micros >= 0),
  -- what becomes of a trial when its customer has no means of payment on file
  ADD COLUMN trial_end text NOT NULL DEFAULT 'convert' CHECK (trial_end IN ('convert', 'cancel')),
  ADD COLUMN late_usage text NOT NULL DEFAULT 'bill' CHECK (late_usage IN ('bill', 'absorb')),
  -- after how many terms it expires; null = it renews
  ADD COLUMN fixed_terms int CHECK (fixed_terms > 0),
  -- [{"after_months":12,"percent_off":"5"}, ..]
  ADD COLUMN loyalty jsonb NOT NULL DEFAULT '[]',
  -- {"recording_storage": {"amount": "100", "meter": "gb_days"}}
  ADD COLUMN limits jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN seat_limit int CHECK (seat_limit >= 0),
  ADD COLUMN sells_extra_seats boolean NOT NULL DEFAULT false,
  ADD CHECK ((trial_usage = 'free') = (trial_usage_cap_micros IS NOT NULL));

-- at least so many units are priced, used or not; 0 = as many as were used
ALTER TABLE component ADD COLUMN minimum_quantity numeric(20,6) NOT NULL DEFAULT 0 CHECK (minimum_quantity >= 0);

CREATE TABLE plan_draft (
  tenant_id uuid NOT NULL REFERENCES organisation,
  plan_id uuid NOT NULL,
  -- the next version as far as it is written; it may break rules until it is published
  document jsonb NOT NULL,
  edited_at timestamptz NOT NULL,
  edited_by text NOT NULL,
  PRIMARY KEY (tenant_id, plan_id),
  FOREIGN KEY (tenant_id, plan_id) REFERENCES plan (tenant_id, id)
);
COMMENT ON TABLE plan_draft IS 'The unpublished next version of a plan; publishing makes it a version and removes it.';
CALL raise_wall('plan_draft', 'book', 'full');

-- plan_version_id and seats of a subscription are how it began; changes are dated rows of subscription_change.
ALTER TABLE subscription
  DROP CONSTRAINT subscription_status_check,
  ADD CHECK (status IN ('trial', 'active', 'past_due', 'paused', 'cancelled', 'expired')),
  -- why it is over (or will be) at cancelled_at
  ADD COLUMN ended_by text CHECK (ended_by IN ('cancellation', 'expiry')),
  ADD COLUMN past_due_since timestamptz;
COMMENT ON COLUMN subscription.plan_version_id IS 'The version it began with.';
COMMENT ON COLUMN subscription.seats IS 'The seats it began with.';
COMMENT ON COLUMN subscription.cancelled_at IS 'Where its changes end it; kept here so that a read finds who is in service.';

CREATE TABLE subscription_change (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('plan', 'seats', 'add_on', 'free_add_on', 'remove_add_on', 'pause', 'resume', 'cancel',
    'reactivate', 'end_trial')),
  plan_version_id uuid,
  seats int CHECK (seats >= 0),
  with_credit boolean,
  effective_at timestamptz NOT NULL,
  asked_at timestamptz NOT NULL,
  asked_by text NOT NULL,
  -- since when a final document stands on it: from then on it is reversed, never undone
  billed_at timestamptz,
  undone_at timestamptz,
  undone_by text,
  CHECK ((kind IN ('plan', 'add_on', 'free_add_on', 'remove_add_on')) = (plan_version_id IS NOT NULL)),
  CHECK (kind <> 'seats' OR seats IS NOT NULL),
  CHECK ((kind = 'cancel') = (with_credit IS NOT NULL)),
  CHECK (billed_at IS NULL OR undone_at IS NULL),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id),
  FOREIGN KEY (tenant_id, plan_version_id) REFERENCES plan_version (tenant_id, id)
);
CREATE INDEX subscription_change_by_effect ON subscription_change (tenant_id, subscription_id, effective_at, id);
COMMENT ON TABLE subscription_change IS 'What was asked of a subscription, and when it takes effect. A mistake is undone, never erased.';
CALL raise_wall('subscription_change', 'customer', 'change');

-- What was attached and ended before changes were dated. subscription_add_on is read by older programs only from here on.
INSERT INTO subscription_change (tenant_id, id, subscription_id, customer_id, kind, plan_version_id, effective_at, asked_at, asked_by)
  SELECT tenant_id, gen_random_uuid(), subscription_id, customer_id, 'add_on', plan_version_id, started_at, started_at, 'migration'
  FROM subscription_add_on;
INSERT INTO subscription_change (tenant_id, id, subscription_id, customer_id, kind, plan_version_id, effective_at, asked_at, asked_by)
  SELECT tenant_id, gen_random_uuid(), subscription_id, customer_id, 'remove_add_on', plan_version_id, ended_at, ended_at, 'migration'
  FROM subscription_add_on WHERE ended_at IS NOT NULL;
INSERT INTO subscription_change (tenant_id, id, subscription_id, customer_id, kind, with_credit, effective_at, asked_at, asked_by)
  SELECT tenant_id, gen_random_uuid(), id, customer_id, 'cancel', false, cancelled_at, cancelled_at, 'migration'
  FROM subscription WHERE cancelled_at IS NOT NULL;
UPDATE subscription SET ended_by = 'cancellation' WHERE cancelled_at IS NOT NULL;
COMMENT ON TABLE subscription_add_on IS 'Add-ons as older programs wrote them; moved to subscription_change.';

CREATE TABLE subscription_event (
  tenant_id uuid NOT NULL REFERENCES organisation,
  subscription_id uuid NOT NULL,
  kind text NOT NULL,
  at timestamptz NOT NULL,
  customer_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, subscription_id, kind, at),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id)
);
COMMENT ON TABLE subscription_event IS 'What the clock has done to a subscription and what was said about it: once each, however often it is looked for.';
CALL raise_wall('subscription_event', 'customer', 'append');

CREATE TABLE coupon (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  code text NOT NULL CHECK (code ~ '^[A-Z0-9-]{2,40}$'),
  name text NOT NULL,
  percent_off numeric(6,3) CHECK (percent_off > 0 AND percent_off <= 100),
  amount_off_micros bigint CHECK (amount_off_micros > 0),
  currency char(3),
  -- for how many periods: 1 = once, null = forever
  periods int CHECK (periods > 0),
  redemptions_max int CHECK (redemptions_max > 0),
  -- counted under the row's lock, so that many at once cannot take the last one twice
  redemptions int NOT NULL DEFAULT 0 CHECK (redemptions >= 0),
  valid_until timestamptz,
  created_at timestamptz NOT NULL,
  archived_at timestamptz,
  CHECK (redemptions_max IS NULL OR redemptions <= redemptions_max),
  CHECK ((percent_off IS NULL) <> (amount_off_micros IS NULL)),
  CHECK ((amount_off_micros IS NULL) = (currency IS NULL)),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, code)
);
COMMENT ON TABLE coupon IS 'A discount that is asked for by its code.';
CALL raise_wall('coupon', 'catalogue', 'change');

CREATE TABLE coupon_redemption (
  tenant_id uuid NOT NULL REFERENCES organisation,
  coupon_id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  redeemed_at timestamptz NOT NULL,
  -- taken away again from here on
  ended_at timestamptz,
  PRIMARY KEY (tenant_id, coupon_id, subscription_id),
  FOREIGN KEY (tenant_id, coupon_id) REFERENCES coupon (tenant_id, id),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id)
);
CREATE INDEX coupon_redemption_of_subscription ON coupon_redemption (tenant_id, subscription_id);
COMMENT ON TABLE coupon_redemption IS 'Which subscription has which coupon; a coupon is redeemed once by each.';
CALL raise_wall('coupon_redemption', 'customer', 'change');
