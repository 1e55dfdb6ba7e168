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

-- Of the three tables that every call writes, tenant_id refers to no organisation of its own: it is that of the wallet or the
-- account beside it. A row lock on one organisation's row for each row written would make its calls queue there.
CREATE TABLE ledger_transaction (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  -- top_up, call, call_correction, invoice, credit_note, payment, reversal ..
  kind text NOT NULL,
  -- natural key within the kind: the same posting twice is one
  key text NOT NULL,
  effective_at timestamptz NOT NULL,
  posted_at timestamptz NOT NULL,
  memo text NOT NULL DEFAULT '',
  -- the one customer whose accounts it touches, for the wall of a portal customer
  customer_id uuid,
  reverses uuid,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, kind, key),
  FOREIGN KEY (tenant_id, reverses) REFERENCES ledger_transaction (tenant_id, id)
);
CREATE INDEX ledger_transaction_by_time ON ledger_transaction (tenant_id, effective_at);
CREATE UNIQUE INDEX ledger_transaction_reversed_once ON ledger_transaction (tenant_id, reverses) WHERE reverses IS NOT NULL;
COMMENT ON TABLE ledger_transaction IS 'One posting. A mistake is reversed by another.';
CALL raise_wall('ledger_transaction', 'customer', 'append');

CREATE TABLE ledger_entry (
  tenant_id uuid NOT NULL,
  transaction_id uuid NOT NULL,
  position int NOT NULL CHECK (position > 0),
  account_id uuid NOT NULL,
  -- the account's customer, for the wall of a portal customer
  customer_id uuid,
  currency char(3) NOT NULL,
  amount_micros bigint NOT NULL CHECK (amount_micros <> 0),
  -- when it counts: the transaction's effective_at
  effective_at timestamptz NOT NULL,
  -- its transaction and its account are there: checked by the trigger below
  PRIMARY KEY (tenant_id, transaction_id, position)
);
CREATE INDEX ledger_entry_of_account ON ledger_entry (tenant_id, account_id, effective_at);
COMMENT ON TABLE ledger_entry IS 'What a transaction moves. Entries of one transaction are inserted by one statement and sum to zero per currency.';
CALL raise_wall('ledger_entry', 'customer', 'append');

-- Once per statement and not per row: 7 us a transfer instead of 68, and half the time again for the two references, which a
-- foreign key would check (and lock) row by row. Neither transactions nor accounts are ever deleted, so a look is enough.
-- The setting keeps a plan made over small tables from scanning large ones.
CREATE FUNCTION refuse_bad_entries() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE bad uuid;
BEGIN
  SELECT transaction_id INTO bad FROM inserted
  GROUP BY tenant_id, transaction_id, currency HAVING sum(amount_micros) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the entries of transaction % do not sum to zero', bad USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_sum_to_zero';
  END IF;
  SELECT i.transaction_id INTO bad FROM inserted i
  LEFT JOIN LATERAL (SELECT true AS is_there FROM ledger_transaction t WHERE t.tenant_id = i.tenant_id AND t.id = i.transaction_id LIMIT 1) t ON true
  LEFT JOIN LATERAL (SELECT true AS is_there FROM account a WHERE a.tenant_id = i.tenant_id AND a.id = i.account_id LIMIT 1) a ON true
  WHERE t.is_there IS NULL OR a.is_there IS NULL LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'an entry names transaction % or an account that is not there', bad USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'entries_have_transaction_and_account';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER entries_sum_to_zero AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_bad_entries();

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
  UNIQUE (tenant_id, account_id),
  -- the net under every guarded update
  CONSTRAINT wallet_keeps_its_floor CHECK (balance_micros - reserved_micros >= floor_micros),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id)
);
COMMENT ON TABLE wallet IS 'A prepaid customer''s money in one currency; balance - reserved never goes below the floor.';
CALL raise_wall('wallet', 'customer', 'change');

CREATE TABLE reservation (
  tenant_id uuid NOT NULL,
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

-- Reserving and settling are one round trip each, because a call pays for every one of them; hence functions. Both take the
-- wallet's row before the reservation's. They run with the caller's rights, behind its wall.

-- Promises `wanted_micros` of a wallet to a call's leg, or denies it; the decision is stored under (call, leg, seq) and a repeat
-- gets it again. `decision` is NULL when the customer has no wallet in that currency.
CREATE FUNCTION reserve_from_wallet(of_tenant uuid, for_call uuid, for_leg text, for_seq int, of_customer uuid, in_currency char,
  wanted_micros bigint, until timestamptz, at timestamptz, OUT decision text, OUT available_micros bigint)
LANGUAGE plpgsql AS $$
DECLARE taken_from uuid;
BEGIN
  SELECT r.state INTO decision FROM reservation r
    WHERE r.tenant_id = of_tenant AND r.call_id = for_call AND r.leg = for_leg AND r.seq = for_seq;
  IF decision IS NULL THEN
    -- one guarded update, never read-then-write: two calls cannot both be promised the last cent
    UPDATE wallet w SET reserved_micros = w.reserved_micros + wanted_micros
      WHERE w.tenant_id = of_tenant AND w.customer_id = of_customer AND w.currency = in_currency
        AND w.balance_micros - w.reserved_micros - wanted_micros >= w.floor_micros
      RETURNING w.id INTO taken_from;
    INSERT INTO reservation (tenant_id, call_id, leg, seq, wallet_id, customer_id, amount_micros, state, created_at, lease_until, closed_at)
      SELECT of_tenant, for_call, for_leg, for_seq, w.id, of_customer, wanted_micros,
        CASE WHEN taken_from IS NULL THEN 'denied' ELSE 'open' END, at, until, CASE WHEN taken_from IS NULL THEN at END
      FROM wallet w WHERE w.tenant_id = of_tenant AND w.customer_id = of_customer AND w.currency = in_currency
      ON CONFLICT (tenant_id, call_id, leg, seq) DO NOTHING
      RETURNING state INTO decision;
    IF decision IS NULL AND taken_from IS NOT NULL THEN
      -- the same request was decided while this one waited for the wallet: what it took goes back
      UPDATE wallet w SET reserved_micros = w.reserved_micros - wanted_micros WHERE w.tenant_id = of_tenant AND w.id = taken_from;
    END IF;
    IF decision IS NULL THEN
      SELECT r.state INTO decision FROM reservation r
        WHERE r.tenant_id = of_tenant AND r.call_id = for_call AND r.leg = for_leg AND r.seq = for_seq;
    END IF;
  END IF;
  IF decision <> 'open' THEN
    SELECT w.balance_micros - w.reserved_micros - w.floor_micros INTO available_micros FROM wallet w
      WHERE w.tenant_id = of_tenant AND w.customer_id = of_customer AND w.currency = in_currency;
  END IF;
END $$;

-- Closes the open reservations of a call's leg and posts its charge: wallet -paid, unbilled +charge, bad debt -unpaid. Once: a
-- repeat gets the stored answer. The wallet pays what its floor and the reservations of other calls leave, the rest is unpaid.
-- `transaction_id` is NULL when the customer has no wallet in that currency.
CREATE FUNCTION settle_from_wallet(of_tenant uuid, new_transaction uuid, of_kind text, of_key text, for_call uuid, for_leg text,
  of_customer uuid, in_currency char, charge_micros bigint, unbilled_account uuid, bad_debt_account uuid, with_memo text,
  effective timestamptz, at timestamptz, OUT transaction_id uuid, OUT is_new boolean, OUT unpaid_micros bigint)
LANGUAGE plpgsql AS $$
DECLARE
  purse wallet%ROWTYPE;
  freed_micros bigint;
BEGIN
  SELECT * INTO purse FROM wallet w
    WHERE w.tenant_id = of_tenant AND w.customer_id = of_customer AND w.currency = in_currency FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  INSERT INTO ledger_transaction AS t (tenant_id, id, kind, key, effective_at, posted_at, memo, customer_id)
    VALUES (of_tenant, new_transaction, of_kind, of_key, effective, at, with_memo, of_customer)
    ON CONFLICT (tenant_id, kind, key) DO NOTHING;
  is_new := FOUND;
  IF NOT is_new THEN
    SELECT t.id, coalesce(-sum(e.amount_micros), 0)::bigint INTO transaction_id, unpaid_micros
      FROM ledger_transaction t
      LEFT JOIN ledger_entry e ON e.tenant_id = t.tenant_id AND e.transaction_id = t.id AND e.account_id = bad_debt_account
      WHERE t.tenant_id = of_tenant AND t.kind = of_kind AND t.key = of_key GROUP BY t.id;
    RETURN;
  END IF;
  transaction_id := new_transaction;
  WITH promised AS (
    SELECT r.seq, r.amount_micros, sum(r.amount_micros) OVER (ORDER BY r.seq) - r.amount_micros AS used_before
    FROM reservation r WHERE r.tenant_id = of_tenant AND r.call_id = for_call AND r.leg = for_leg AND r.state = 'open'
  ), closed AS (
    UPDATE reservation r SET state = 'settled', closed_at = at,
      used_micros = least(p.amount_micros, greatest(0, charge_micros - p.used_before))
    FROM promised p WHERE r.tenant_id = of_tenant AND r.call_id = for_call AND r.leg = for_leg AND r.seq = p.seq AND r.state = 'open'
    RETURNING r.amount_micros
  ) SELECT coalesce(sum(closed.amount_micros), 0)::bigint INTO freed_micros FROM closed;
  unpaid_micros := greatest(0, charge_micros - (purse.balance_micros - purse.reserved_micros + freed_micros - purse.floor_micros));
  UPDATE wallet w SET balance_micros = w.balance_micros - (charge_micros - unpaid_micros), reserved_micros = w.reserved_micros - freed_micros
    WHERE w.tenant_id = of_tenant AND w.id = purse.id;
  IF unpaid_micros > 0 THEN
    INSERT INTO account (tenant_id, id, kind, currency) VALUES (of_tenant, bad_debt_account, 'bad_debt', in_currency)
      ON CONFLICT DO NOTHING;
  END IF;
  INSERT INTO ledger_entry (tenant_id, transaction_id, position, account_id, customer_id, currency, amount_micros, effective_at)
    SELECT of_tenant, new_transaction, e.position, e.account_id, e.customer_id, in_currency, e.amount_micros, effective
    FROM (VALUES (1, purse.account_id, of_customer, unpaid_micros - charge_micros), (2, unbilled_account, of_customer, charge_micros),
                 (3, bad_debt_account, NULL::uuid, -unpaid_micros)) AS e (position, account_id, customer_id, amount_micros)
    WHERE e.amount_micros <> 0;
END $$;
