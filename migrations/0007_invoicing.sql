-- Why: a draft may change, a document never. Two tables, so that no flag can be forgotten. Numbers have no gap: they are taken
-- from a counter row at finalisation, under its lock, and drafts have none.

CREATE TABLE invoice_run (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  -- invoices what has ended before this day, in each customer's zone
  until_on date NOT NULL,
  phase text NOT NULL CHECK (phase IN ('planned', 'drafting', 'ready', 'finalising', 'done', 'failed')),
  started_by text NOT NULL,
  -- the customer that the last block ended with
  current_customer text,
  created_at timestamptz NOT NULL,
  drafting_started_at timestamptz,
  finalising_started_at timestamptz,
  ended_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX invoice_run_one_open ON invoice_run (tenant_id) WHERE ended_at IS NULL;
COMMENT ON TABLE invoice_run IS 'A run over a book''s customers: drafts, then documents.';
CALL raise_wall('invoice_run', 'book', 'change');

CREATE TABLE invoice_run_item (
  tenant_id uuid NOT NULL REFERENCES organisation,
  run_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'drafted', 'nothing_due', 'finalised', 'failed', 'voided')),
  failure text,
  draft_id uuid,
  document_id uuid,
  PRIMARY KEY (tenant_id, run_id, customer_id),
  FOREIGN KEY (tenant_id, run_id) REFERENCES invoice_run (tenant_id, id)
);
CREATE INDEX invoice_run_item_waiting ON invoice_run_item (tenant_id, run_id, state);
COMMENT ON TABLE invoice_run_item IS 'One customer of a run and what became of it.';
CALL raise_wall('invoice_run_item', 'book', 'change');

CREATE TABLE draft (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  run_id uuid,
  currency char(3) NOT NULL,
  period_starts_on date NOT NULL,
  period_ends_on date NOT NULL,
  net_micros bigint NOT NULL,
  tax_micros bigint NOT NULL,
  gross_micros bigint NOT NULL,
  -- the whole content: lines, tax groups, settled amounts, what it bills
  content jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  voided_at timestamptz,
  finalised_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX draft_open ON draft (tenant_id, created_at) WHERE voided_at IS NULL AND finalised_at IS NULL;
COMMENT ON TABLE draft IS 'A document to be: may change, has no number.';
CALL raise_wall('draft', 'book', 'change');

CREATE TABLE document_counter (
  tenant_id uuid NOT NULL REFERENCES organisation,
  series text NOT NULL,
  last_number bigint NOT NULL DEFAULT 0 CHECK (last_number >= 0),
  PRIMARY KEY (tenant_id, series)
);
COMMENT ON TABLE document_counter IS 'The last number given in a series; its row lock makes numbers gap-free.';
CALL raise_wall('document_counter', 'book', 'change');

CREATE TABLE document (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'settlement')),
  series text NOT NULL,
  serial bigint NOT NULL CHECK (serial > 0),
  -- as printed: prefix, series and serial
  number text NOT NULL,
  customer_id uuid NOT NULL,
  draft_id uuid NOT NULL,
  run_id uuid,
  corrects uuid,
  currency char(3) NOT NULL,
  issued_on date NOT NULL,
  issued_at timestamptz NOT NULL,
  due_on date NOT NULL,
  period_starts_on date NOT NULL,
  period_ends_on date NOT NULL,
  net_micros bigint NOT NULL,
  tax_micros bigint NOT NULL,
  gross_micros bigint NOT NULL,
  -- gross less what wallets had paid already
  due_micros bigint NOT NULL,
  -- issuer, recipient and texts as they were
  content jsonb NOT NULL,
  transaction_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, series, serial),
  UNIQUE (tenant_id, number),
  UNIQUE (tenant_id, draft_id),
  CHECK (gross_micros = net_micros + tax_micros),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, draft_id) REFERENCES draft (tenant_id, id),
  FOREIGN KEY (tenant_id, transaction_id) REFERENCES ledger_transaction (tenant_id, id),
  FOREIGN KEY (tenant_id, corrects) REFERENCES document (tenant_id, id)
);
CREATE INDEX document_of_customer ON document (tenant_id, customer_id, issued_at DESC);
CREATE INDEX document_by_time ON document (tenant_id, issued_at DESC, id DESC);
COMMENT ON TABLE document IS 'Final: insert and read only. Cancelled by a credit note.';
CALL raise_wall('document', 'customer', 'append');

CREATE TABLE document_line (
  tenant_id uuid NOT NULL REFERENCES organisation,
  document_id uuid NOT NULL,
  position int NOT NULL CHECK (position > 0),
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  -- platform, seats, usage, channels, hours, numbers, addons, percent, discounts, commitment, late, one-off, correction
  line_group text NOT NULL,
  subscription_id uuid,
  component_key text,
  -- for tariff calls: the topic whose calls it sums
  topic_id uuid,
  text text NOT NULL,
  detail text NOT NULL DEFAULT '',
  service_starts_at timestamptz NOT NULL,
  service_ends_at timestamptz NOT NULL,
  -- the same bounds as civil days of the customer's zone
  service_starts_on date NOT NULL,
  service_ends_on date NOT NULL,
  quantity numeric(20,6) NOT NULL,
  unit text NOT NULL,
  -- NULL where one unit price does not tell the whole (tiers, tariffs)
  unit_price numeric(28,10),
  -- net
  amount_micros bigint NOT NULL,
  -- for tariff calls: the exact sum of their charges, tax included
  gross_micros bigint,
  tax_category text NOT NULL,
  tax_percent numeric(6,3) NOT NULL,
  explanation jsonb NOT NULL,
  -- what the line opens to: calls of a topic, usage of a meter, seat sessions, or nothing
  source jsonb NOT NULL,
  PRIMARY KEY (tenant_id, document_id, position),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, document_id) REFERENCES document (tenant_id, id)
);
COMMENT ON TABLE document_line IS 'A line of a document; opens to the calls or sessions beneath.';
CALL raise_wall('document_line', 'customer', 'append');

CREATE TABLE document_tax (
  tenant_id uuid NOT NULL REFERENCES organisation,
  document_id uuid NOT NULL,
  category text NOT NULL,
  percent numeric(6,3) NOT NULL,
  customer_id uuid NOT NULL,
  base_micros bigint NOT NULL,
  tax_micros bigint NOT NULL,
  PRIMARY KEY (tenant_id, document_id, category, percent),
  FOREIGN KEY (tenant_id, document_id) REFERENCES document (tenant_id, id)
);
COMMENT ON TABLE document_tax IS 'Tax per group of a document: base x rate, rounded once.';
CALL raise_wall('document_tax', 'customer', 'append');

-- I7: what is billed is billed once. A draft's rows are written at finalisation, in the same transaction.
CREATE TABLE billed_service (
  tenant_id uuid NOT NULL REFERENCES organisation,
  -- a subscription, or the customer itself for tariff calls
  billed_id uuid NOT NULL,
  -- of the component; a topic's id for its calls; with a star for what a period derives (commitment, discount, all calls)
  component_key text NOT NULL,
  service_starts_at timestamptz NOT NULL,
  -- charge, or late-n for the n-th difference of usage that arrived afterwards
  kind text NOT NULL,
  service_ends_at timestamptz NOT NULL,
  -- what was billed, so that a difference can be told: before tax for components, tax included for tariff calls
  quantity numeric(20,6) NOT NULL,
  amount_micros bigint NOT NULL,
  -- NULL where the period closed with nothing due
  document_id uuid,
  PRIMARY KEY (tenant_id, billed_id, component_key, service_starts_at, kind),
  FOREIGN KEY (tenant_id, document_id) REFERENCES document (tenant_id, id)
);
COMMENT ON TABLE billed_service IS 'The key that stops anything from being billed twice.';
CALL raise_wall('billed_service', 'book', 'append');

CREATE TABLE document_status (
  tenant_id uuid NOT NULL REFERENCES organisation,
  document_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  opened_at timestamptz,
  sent_at timestamptz,
  PRIMARY KEY (tenant_id, document_id),
  FOREIGN KEY (tenant_id, document_id) REFERENCES document (tenant_id, id)
);
COMMENT ON TABLE document_status IS 'What happens to a document after it is final. Paid and overdue are derived from allocations.';
CALL raise_wall('document_status', 'customer', 'change');

CREATE TABLE document_file (
  tenant_id uuid NOT NULL REFERENCES organisation,
  document_id uuid NOT NULL,
  format text NOT NULL CHECK (format IN ('pdf')),
  customer_id uuid NOT NULL,
  content bytea NOT NULL,
  sha256 bytea NOT NULL CHECK (length(sha256) = 32),
  made_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, document_id, format),
  FOREIGN KEY (tenant_id, document_id) REFERENCES document (tenant_id, id)
);
COMMENT ON TABLE document_file IS 'The document as sent: made once, the same bytes for good.';
CALL raise_wall('document_file', 'customer', 'append');
