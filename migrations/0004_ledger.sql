-- Why: every cent is explained by entries that sum to zero and never change. A positive amount credits an account, a negative
-- one debits it; so a wallet's balance is the plain sum of its entries. Money is promised before it is used: a reservation.

CREATE TABLE account (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('wallet', 'promotional_credit', 'receivable', 'unbilled', 'revenue', 'deferred_revenue', 'tax',
    'discount', 'partner_payable', 'due_from_seller', 'carrier_cost', 'processor_clearing', 'exchange', 'rounding', 'bad_debt')),
  -- set for accounts kept per customer (wallet, promotional_credit, receivable, unbilled)
  customer_id uuid,
  currency char(3) NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX account_of_customer ON account (tenant_id, kind, currency, customer_id) WHERE customer_id IS NOT NULL;
CREATE UNIQUE INDEX account_of_book ON account (tenant_id, kind, currency) WHERE customer_id IS NULL;
COMMENT ON TABLE account IS 'The chart of a book.';
CALL raise_wall('account', 'customer', 'append');

CREATE TABLE ledger_transaction (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  -- top_up, call, call_correction, invoice, credit_note, payment, reversal ..
  kind text NOT NULL,
  -- natural key within the kind: the same posting twice is one
  key text NOT NULL,
  effective_at timestamptz NOT NULL,
  posted_at timestamptz NOT NULL,
  memo text NOT NULL DEFAULT '',
  reverses uuid,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, kind, key),
  FOREIGN KEY (tenant_id, reverses) REFERENCES ledger_transaction (tenant_id, id)
);
CREATE INDEX ledger_transaction_by_time ON ledger_transaction (tenant_id, effective_at);
COMMENT ON TABLE ledger_transaction IS 'One posting. A mistake is reversed by another.';
CALL raise_wall('ledger_transaction', 'book', 'append');

CREATE TABLE ledger_entry (
  tenant_id uuid NOT NULL REFERENCES organisation,
  transaction_id uuid NOT NULL,
  position int NOT NULL CHECK (position > 0),
  account_id uuid NOT NULL,
  -- the account's customer, for the wall of a portal customer
  customer_id uuid,
  currency char(3) NOT NULL,
  amount_micros bigint NOT NULL CHECK (amount_micros <> 0),
  -- when it counts: the transaction's effective_at
  effective_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, transaction_id, position),
  FOREIGN KEY (tenant_id, transaction_id) REFERENCES ledger_transaction (tenant_id, id),
  FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id)
);
CREATE INDEX ledger_entry_of_account ON ledger_entry (tenant_id, account_id, effective_at);
COMMENT ON TABLE ledger_entry IS 'What a transaction moves. Entries of one transaction are inserted by one statement and sum to zero per currency.';
CALL raise_wall('ledger_entry', 'customer', 'append');

-- Once per statement and not per row: 7 us a transfer instead of 68.
CREATE FUNCTION refuse_unbalanced_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE unbalanced uuid;
BEGIN
  SELECT transaction_id INTO unbalanced FROM inserted
  GROUP BY tenant_id, transaction_id, currency HAVING sum(amount_micros) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the entries of transaction % do not sum to zero', unbalanced USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_sum_to_zero';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER entries_sum_to_zero AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced_entries();

CREATE TABLE wallet (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  account_id uuid NOT NULL,
  currency char(3) NOT NULL,
  -- kept equal to the sum of the account's entries by the same transaction that inserts them
  balance_micros bigint NOT NULL DEFAULT 0,
  -- kept equal to the sum of open reservations
  reserved_micros bigint NOT NULL DEFAULT 0 CHECK (reserved_micros >= 0),
  -- 0, or minus a credit limit
  floor_micros bigint NOT NULL DEFAULT 0 CHECK (floor_micros <= 0),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, customer_id, currency),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id)
);
COMMENT ON TABLE wallet IS 'A prepaid customer''s money in one currency; balance - reserved never goes below the floor.';
CALL raise_wall('wallet', 'customer', 'change');

CREATE TABLE reservation (
  tenant_id uuid NOT NULL REFERENCES organisation,
  -- what it is for: a call's leg
  call_id uuid NOT NULL,
  leg text NOT NULL,
  seq int NOT NULL CHECK (seq > 0),
  wallet_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  amount_micros bigint NOT NULL CHECK (amount_micros > 0),
  used_micros bigint CHECK (used_micros BETWEEN 0 AND amount_micros),
  state text NOT NULL CHECK (state IN ('open', 'settled', 'released', 'expired', 'denied')),
  created_at timestamptz NOT NULL,
  -- an open reservation that nobody extends or settles is released by the worker after this
  lease_until timestamptz NOT NULL,
  closed_at timestamptz,
  PRIMARY KEY (tenant_id, call_id, leg, seq),
  FOREIGN KEY (tenant_id, wallet_id) REFERENCES wallet (tenant_id, id)
);
CREATE INDEX reservation_open ON reservation (tenant_id, wallet_id) WHERE state = 'open';
CREATE INDEX reservation_lease ON reservation (lease_until) WHERE state = 'open';
COMMENT ON TABLE reservation IS 'Money promised to a call before it is used. The same (call, leg, seq) again gets the stored answer.';
CALL raise_wall('reservation', 'customer', 'change');
