-- Why: credit that is given away runs out on a day and must be posted when it does; a wallet that runs low asks for money by
-- itself, within bounds; and a batch of reservations spent most of its time on a foreign key that looked each wallet up row by row.

-- Once per statement, as for entries. Wallets are never deleted, so a look is enough.
ALTER TABLE reservation DROP CONSTRAINT reservation_tenant_id_wallet_id_fkey;
CREATE FUNCTION refuse_reservations_without_wallet() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE bad uuid;
BEGIN
  SELECT i.wallet_id INTO bad FROM (SELECT DISTINCT tenant_id, wallet_id FROM inserted) i
  LEFT JOIN LATERAL (SELECT true AS is_there FROM wallet w WHERE w.tenant_id = i.tenant_id AND w.id = i.wallet_id LIMIT 1) w ON true
  WHERE w.is_there IS NULL LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'a reservation names wallet % that is not there', bad USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'reservations_have_a_wallet';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER reservations_have_a_wallet AFTER INSERT ON reservation REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_reservations_without_wallet();

-- A transaction and an account are looked up once each, however many entries of the statement name them.
CREATE OR REPLACE FUNCTION refuse_bad_entries() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE bad uuid;
BEGIN
  SELECT transaction_id INTO bad FROM inserted
  GROUP BY tenant_id, transaction_id, currency HAVING sum(amount_micros) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the entries of transaction % do not sum to zero', bad USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_sum_to_zero';
  END IF;
  SELECT i.transaction_id INTO bad FROM (SELECT DISTINCT tenant_id, transaction_id FROM inserted) i
  LEFT JOIN LATERAL (SELECT true AS is_there FROM ledger_transaction t WHERE t.tenant_id = i.tenant_id AND t.id = i.transaction_id LIMIT 1) t ON true
  WHERE t.is_there IS NULL LIMIT 1;
  IF NOT FOUND THEN
    SELECT i.account_id INTO bad FROM (SELECT DISTINCT tenant_id, account_id FROM inserted) i
    LEFT JOIN LATERAL (SELECT true AS is_there FROM account a WHERE a.tenant_id = i.tenant_id AND a.id = i.account_id LIMIT 1) a ON true
    WHERE a.is_there IS NULL LIMIT 1;
  END IF;
  IF FOUND THEN
    RAISE EXCEPTION 'an entry names a transaction or an account that is not there: %', bad USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'entries_have_transaction_and_account';
  END IF;
  RETURN NULL;
END $$;

-- Credit that was given: its money is in the wallet like any other, so that calls need not know of it. What is left of it follows
-- from the wallet's entries since; what is left on its last day is posted back.
CREATE TABLE promotional_grant (
  tenant_id uuid NOT NULL,
  -- the transaction that gave it
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  currency char(3) NOT NULL,
  amount_micros bigint NOT NULL CHECK (amount_micros > 0),
  granted_at timestamptz NOT NULL,
  expires_at timestamptz,
  -- what was taken back of it, and since when nothing of it is left
  expired_micros bigint NOT NULL DEFAULT 0 CHECK (expired_micros BETWEEN 0 AND amount_micros),
  closed_at timestamptz,
  CHECK (expires_at > granted_at),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, id) REFERENCES ledger_transaction (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX promotional_grant_of_customer ON promotional_grant (tenant_id, customer_id, granted_at);
CREATE INDEX promotional_grant_due ON promotional_grant (tenant_id, expires_at) WHERE closed_at IS NULL;
COMMENT ON TABLE promotional_grant IS 'Credit given away: used before paid money, the soonest to expire first, posted back when it expires.';
CALL raise_wall('promotional_grant', 'customer', 'change');

CREATE TABLE auto_recharge (
  tenant_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  currency char(3) NOT NULL,
  -- below so much available, ask for so much
  below_micros bigint NOT NULL CHECK (below_micros >= 0),
  amount_micros bigint NOT NULL CHECK (amount_micros > 0),
  -- at most so much in a day and in thirty
  day_cap_micros bigint NOT NULL CHECK (day_cap_micros >= amount_micros),
  month_cap_micros bigint NOT NULL CHECK (month_cap_micros >= day_cap_micros),
  -- between two attempts
  cool_off_seconds int NOT NULL CHECK (cool_off_seconds >= 0),
  is_on boolean NOT NULL DEFAULT true,
  -- attempts that failed one after the other; the breaker opens at a number of them, or when a success brought no money
  failures int NOT NULL DEFAULT 0 CHECK (failures >= 0),
  breaker_opened_at timestamptz,
  breaker_reason text,
  changed_at timestamptz NOT NULL,
  CHECK ((breaker_opened_at IS NULL) = (breaker_reason IS NULL)),
  PRIMARY KEY (tenant_id, customer_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
COMMENT ON TABLE auto_recharge IS 'On what terms a wallet asks for money by itself.';
CALL raise_wall('auto_recharge', 'customer', 'change');

CREATE TABLE recharge_attempt (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  currency char(3) NOT NULL,
  amount_micros bigint NOT NULL CHECK (amount_micros > 0),
  -- what was available when it was decided, and how much had ever been put into the wallet
  available_micros bigint NOT NULL,
  credited_micros bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('asked', 'paid', 'failed')),
  decided_at timestamptz NOT NULL,
  closed_at timestamptz,
  reason text,
  CHECK ((state = 'asked') = (closed_at IS NULL)),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES auto_recharge (tenant_id, customer_id)
);
-- one at a time: two rounds of the worker cannot both charge a card
CREATE UNIQUE INDEX recharge_attempt_open ON recharge_attempt (tenant_id, customer_id) WHERE state = 'asked';
CREATE INDEX recharge_attempt_of_customer ON recharge_attempt (tenant_id, customer_id, decided_at);
COMMENT ON TABLE recharge_attempt IS 'A decision to ask for money, and what became of it. Its id is the key of the payment.';
CALL raise_wall('recharge_attempt', 'customer', 'change');
