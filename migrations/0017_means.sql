-- Why: a trial converts when its customer has a means of payment on file, and until now nothing could be put on file; what becomes
-- of a trial without one may be agreed for one subscription; and an organisation sets its brand and its domains by itself.

CREATE TABLE payment_method (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  -- never a card: its data does not come here
  kind text NOT NULL CHECK (kind IN ('direct_debit', 'on_invoice')),
  -- of a direct debit: whose account it is, the account, and the number of the mandate that was given
  holder text,
  iban text CHECK (iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'),
  mandate text,
  added_at timestamptz NOT NULL,
  added_by text NOT NULL,
  removed_at timestamptz,
  removed_by text,
  CHECK ((kind = 'direct_debit') = (holder IS NOT NULL AND iban IS NOT NULL AND mandate IS NOT NULL)),
  CHECK (kind = 'direct_debit' OR (holder IS NULL AND iban IS NULL AND mandate IS NULL)),
  CHECK ((removed_at IS NULL) = (removed_by IS NULL)),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, mandate),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
-- one of each kind is on file; what it replaced stays as it was
CREATE UNIQUE INDEX payment_method_on_file ON payment_method (tenant_id, customer_id, kind) WHERE removed_at IS NULL;
COMMENT ON TABLE payment_method IS 'How a customer has agreed to pay what comes; removed, never deleted.';
CALL raise_wall('payment_method', 'customer', 'change');

-- A customer gives and withdraws a mandate in the portal, and that is a deed like any other: it may write an entry, and read none.
ALTER POLICY tenant_wall ON audit_entry WITH CHECK (tenant_id = current_tenant_id());

ALTER TABLE plan_version DROP CONSTRAINT plan_version_trial_end_check;
ALTER TABLE plan_version ADD CONSTRAINT plan_version_trial_end_check CHECK (trial_end IN ('convert', 'cancel', 'past_due'));
ALTER TABLE subscription
  ADD COLUMN trial_end text CHECK (trial_end IN ('convert', 'cancel', 'past_due')),
  ADD COLUMN method_missing_since timestamptz;
CREATE INDEX subscription_without_method ON subscription (tenant_id, customer_id) WHERE method_missing_since IS NOT NULL;
COMMENT ON COLUMN subscription.trial_end IS 'What was agreed for this one; null = what its plan says.';
COMMENT ON COLUMN subscription.method_missing_since IS 'Its trial is over and it goes on past due, until a means of payment is on file.';

ALTER TABLE brand ADD COLUMN logo_png bytea CHECK (length(logo_png) <= 262144);

CREATE TABLE domain_claim (
  tenant_id uuid NOT NULL REFERENCES organisation,
  host text NOT NULL CHECK (host = lower(host)),
  -- what the owner of the name writes into its DNS
  token text NOT NULL,
  claimed_at timestamptz NOT NULL,
  claimed_by text NOT NULL,
  checked_at timestamptz,
  -- what was found instead, the last time
  problem text,
  PRIMARY KEY (tenant_id, host)
);
COMMENT ON TABLE domain_claim IS 'Host names that an organisation says are its own; one is served once its DNS has proved it.';
CALL raise_wall('domain_claim', 'book', 'full');
