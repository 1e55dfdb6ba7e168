-- Why: money that came in, and which documents it pays. Top-ups go to wallets, payments to receivables.

CREATE TABLE payment (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('top_up', 'payment')),
  method text NOT NULL CHECK (method IN ('bank_transfer', 'cash', 'card', 'other')),
  -- the payer's or bank's reference: natural key, so that a statement read twice pays once
  reference text NOT NULL,
  currency char(3) NOT NULL,
  amount_micros bigint NOT NULL CHECK (amount_micros > 0),
  received_at timestamptz NOT NULL,
  recorded_by text NOT NULL,
  transaction_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, kind, reference),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, transaction_id) REFERENCES ledger_transaction (tenant_id, id)
);
CREATE INDEX payment_of_customer ON payment (tenant_id, customer_id, received_at DESC);
CREATE INDEX payment_by_time ON payment (tenant_id, received_at DESC, id DESC);
COMMENT ON TABLE payment IS 'Money received.';
CALL raise_wall('payment', 'customer', 'append');

CREATE TABLE payment_allocation (
  tenant_id uuid NOT NULL REFERENCES organisation,
  payment_id uuid NOT NULL,
  document_id uuid NOT NULL,
  -- counts from 1 for the pair
  seq int NOT NULL CHECK (seq > 0),
  customer_id uuid NOT NULL,
  -- below zero where a credit note made the document ask for less than was paid, so that the rest is free again
  amount_micros bigint NOT NULL CHECK (amount_micros <> 0),
  PRIMARY KEY (tenant_id, payment_id, document_id, seq),
  FOREIGN KEY (tenant_id, payment_id) REFERENCES payment (tenant_id, id),
  FOREIGN KEY (tenant_id, document_id) REFERENCES document (tenant_id, id)
);
CREATE INDEX payment_allocation_of_customer ON payment_allocation (tenant_id, customer_id);
CREATE INDEX payment_allocation_of_document ON payment_allocation (tenant_id, document_id);
COMMENT ON TABLE payment_allocation IS 'Which documents a payment pays; what is paid is the sum.';
CALL raise_wall('payment_allocation', 'customer', 'append');

CREATE TABLE refund (
  tenant_id uuid NOT NULL REFERENCES organisation,
  payment_id uuid NOT NULL,
  -- natural key within the payment, so that a repeated request gives back once
  reference text NOT NULL CHECK (reference <> ''),
  customer_id uuid NOT NULL,
  currency char(3) NOT NULL,
  amount_micros bigint NOT NULL CHECK (amount_micros > 0),
  refunded_at timestamptz NOT NULL,
  recorded_by text NOT NULL,
  transaction_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, payment_id, reference),
  FOREIGN KEY (tenant_id, payment_id) REFERENCES payment (tenant_id, id),
  FOREIGN KEY (tenant_id, transaction_id) REFERENCES ledger_transaction (tenant_id, id)
);
COMMENT ON TABLE refund IS 'Money given back of a payment; never more than is left of it.';
CALL raise_wall('refund', 'customer', 'append');
