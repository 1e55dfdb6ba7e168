-- Why: a person looks at a drafted statement before it is issued, and may find it wrong: the partner has moved, or disputes a call.
-- Then it is discarded. Its shares are free again; they stand on a new draft of the same month if a person asks for one, and
-- else on the next month's. The discarded one stays, so that the month is not drafted again by itself and everybody can see why.

ALTER TABLE settlement
  ADD COLUMN discarded_at timestamptz,
  ADD COLUMN discarded_by text,
  ADD COLUMN discard_reason text CHECK (discard_reason <> ''),
  ADD CHECK ((discarded_at IS NULL) = (discarded_by IS NULL) AND (discarded_at IS NULL) = (discard_reason IS NULL)),
  ADD CHECK (discarded_at IS NULL OR issued_at IS NULL),
  DROP CONSTRAINT settlement_tenant_id_customer_id_period_starts_on_key;
-- A payee has one statement for a month, discarded ones apart.
CREATE UNIQUE INDEX settlement_of_month ON settlement (tenant_id, customer_id, period_starts_on) WHERE discarded_at IS NULL;
CREATE INDEX settlement_of_payee ON settlement (tenant_id, customer_id, period_starts_on);
