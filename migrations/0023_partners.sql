-- Why: money that a call earns may be collected below or above. Where the tenant collects it, its seller takes a share as usage.
-- Where the network collects it (a premium-rate number), the seller gets it first and owes the tenant its share: a payable, summed
-- by number and day, paid out by one self-billed statement for each payee and month. What comes late, and what is taken back after
-- a payout, stands on the next statement as an adjustment; nothing that was issued is touched.

-- Where the number does not differ, the customer's terms stand.
ALTER TABLE number_terms
  ADD COLUMN follows_customer boolean NOT NULL DEFAULT false,
  -- tenant: its callers pay it; seller: the network collects, and the seller owes the tenant its share
  ADD COLUMN collection text NOT NULL DEFAULT 'tenant' CHECK (collection IN ('tenant', 'seller')),
  -- received: of what the level got; gross: of what the caller was charged, whatever stands between
  ADD COLUMN share_of text NOT NULL DEFAULT 'received' CHECK (share_of IN ('received', 'gross'));

CREATE TABLE partner_terms (
  tenant_id uuid NOT NULL REFERENCES organisation,
  customer_id uuid NOT NULL,
  share_percent numeric(6,3) NOT NULL CHECK (share_percent BETWEEN 0 AND 100),
  collection text NOT NULL CHECK (collection IN ('tenant', 'seller')),
  share_of text NOT NULL CHECK (share_of IN ('received', 'gross')),
  -- what the self-billed statement refers to: "Agreement of 14 May 2026"
  agreement text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, customer_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
COMMENT ON TABLE partner_terms IS 'In the seller''s book: how revenue is split with a customer, for its numbers without terms of their own.';
CALL raise_wall('partner_terms', 'customer', 'change');

-- The projection of "collection = seller" into the child's own book, where a call must know it when it arrives.
CREATE TABLE number_collected (
  tenant_id uuid NOT NULL REFERENCES organisation,
  number_id uuid NOT NULL,
  by_seller boolean NOT NULL,
  -- the customer that stands for everybody who calls the number: their network bills them, this book never does
  customer_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, number_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
COMMENT ON TABLE number_collected IS 'Numbers whose calls are collected by this book''s seller.';
CALL raise_wall('number_collected', 'catalogue', 'change');

-- Decided when the call arrives, and kept: whoever collects it has collected it, whatever the terms become.
ALTER TABLE call ADD COLUMN collected_by text NOT NULL DEFAULT 'tenant' CHECK (collected_by IN ('tenant', 'seller'));

ALTER TABLE call_leg
  DROP CONSTRAINT call_leg_kind_check,
  ADD CHECK (kind IN ('caller', 'seller', 'seller_correction', 'seller_reversal', 'carrier')),
  -- what was split, and what of it the book owes to the level below; amount_micros is what it keeps
  ADD COLUMN base_micros bigint,
  ADD COLUMN owed_micros bigint;

ALTER TABLE call_cost
  DROP CONSTRAINT call_cost_kind_check,
  ADD CHECK (kind IN ('seller', 'seller_correction', 'seller_reversal', 'carrier')),
  ADD COLUMN base_micros bigint,
  ADD COLUMN owed_micros bigint,
  -- of calls that the seller collects: what a statement lists
  ADD COLUMN started_at timestamptz,
  ADD COLUMN called text,
  ADD COLUMN quantity_seconds int,
  -- names the row of partner_share that it is summed in
  ADD COLUMN batch_id uuid,
  ADD COLUMN shared_on date;
CREATE INDEX call_cost_shared ON call_cost (tenant_id, batch_id, shared_on) WHERE owed_micros IS NOT NULL;

ALTER TABLE call_correction
  -- estimate: an edge came back and knows better; reversal: the charge is taken back
  ADD COLUMN kind text NOT NULL DEFAULT 'estimate' CHECK (kind IN ('estimate', 'reversal')),
  ADD COLUMN net_micros bigint,
  ADD COLUMN seconds int;
CREATE UNIQUE INDEX call_reversed_once ON call_correction (tenant_id, call_id) WHERE kind = 'reversal';

CREATE TABLE settlement (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  currency char(3) NOT NULL,
  period_starts_on date NOT NULL,
  period_ends_on date NOT NULL CHECK (period_ends_on > period_starts_on),
  -- exactly what the shares beneath sum to, before rounding
  owed_micros bigint NOT NULL,
  net_micros bigint NOT NULL,
  tax_micros bigint NOT NULL,
  gross_micros bigint NOT NULL CHECK (gross_micros = net_micros + tax_micros),
  -- rows by number, adjustments, the payee as it was
  statement jsonb NOT NULL,
  drafted_at timestamptz NOT NULL,
  document_id uuid,
  issued_at timestamptz,
  issued_by text,
  paid_on date,
  paid_reference text CHECK (paid_reference <> ''),
  paid_at timestamptz,
  paid_by text,
  PRIMARY KEY (tenant_id, id),
  -- a payee has one statement for a month, however often it is asked for
  UNIQUE (tenant_id, customer_id, period_starts_on),
  UNIQUE (tenant_id, document_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, document_id) REFERENCES document (tenant_id, id),
  CHECK ((document_id IS NULL) = (issued_at IS NULL)),
  CHECK ((paid_at IS NULL) = (paid_on IS NULL) AND (paid_at IS NULL) = (paid_reference IS NULL)),
  CHECK (paid_at IS NULL OR issued_at IS NOT NULL)
);
CREATE INDEX settlement_by_time ON settlement (tenant_id, period_starts_on DESC, id DESC);
COMMENT ON TABLE settlement IS 'What a payee is owed for a month: drafted after its end, issued by a person, paid out once.';
CALL raise_wall('settlement', 'customer', 'change');

CREATE TABLE partner_share (
  tenant_id uuid NOT NULL REFERENCES organisation,
  -- calls that travelled upward together
  batch_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  called text NOT NULL,
  -- civil day of the calls in the payee's zone
  shared_on date NOT NULL,
  kind text NOT NULL CHECK (kind IN ('call', 'correction', 'reversal')),
  currency char(3) NOT NULL,
  calls bigint NOT NULL,
  seconds bigint NOT NULL,
  base_micros bigint NOT NULL,
  carrier_cost_micros bigint NOT NULL DEFAULT 0,
  kept_micros bigint NOT NULL,
  owed_micros bigint NOT NULL,
  transaction_id uuid NOT NULL,
  -- the statement that it stands on; written once
  settlement_id uuid,
  PRIMARY KEY (tenant_id, batch_id, customer_id, called, shared_on, kind),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, transaction_id) REFERENCES ledger_transaction (tenant_id, id),
  -- claimed first, so that what the statement says is what was claimed
  FOREIGN KEY (tenant_id, settlement_id) REFERENCES settlement (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX partner_share_open ON partner_share (tenant_id, customer_id, shared_on) WHERE settlement_id IS NULL;
CREATE INDEX partner_share_of_settlement ON partner_share (tenant_id, settlement_id) WHERE settlement_id IS NOT NULL;
COMMENT ON TABLE partner_share IS 'What a book owes to the level below for calls that it collected: sums by number and day, never a row per call.';
CALL raise_wall('partner_share', 'customer', 'change');

CREATE TABLE received_settlement (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  number text NOT NULL,
  currency char(3) NOT NULL,
  period_starts_on date NOT NULL,
  period_ends_on date NOT NULL,
  owed_micros bigint NOT NULL,
  net_micros bigint NOT NULL,
  tax_micros bigint NOT NULL,
  gross_micros bigint NOT NULL,
  issued_at timestamptz NOT NULL,
  paid_on date,
  paid_reference text,
  PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE received_settlement IS 'In the payee''s own book: the statements that its seller wrote in its name, and their tax.';
CALL raise_wall('received_settlement', 'book', 'change');
