-- Why: calls in and out go up the tree in the same batches: one posting for each batch and book, whatever its calls. What a
-- wallet did not pay of a call's leg is kept with the leg, because the posting no longer says it. And a live call knows the
-- language in which it is spoken, as usage from outside has long done.

ALTER TABLE call
  ADD COLUMN language text,
  ADD COLUMN region text;
COMMENT ON COLUMN call.language IS 'Of the number at the call''s start, unless whoever told the call knew better: a dimension of usage.';
COMMENT ON COLUMN call.region IS 'Of the caller, where whoever told the call knew it: a dimension of usage.';

ALTER TABLE call_leg
  DROP CONSTRAINT call_leg_kind_check,
  ADD CONSTRAINT call_leg_kind_check CHECK (kind IN ('caller', 'seller', 'seller_correction', 'seller_reversal', 'carrier',
    'carrier_correction')),
  -- of a prepaid child's leg: what its wallet could not pay
  ADD COLUMN unpaid_micros bigint NOT NULL DEFAULT 0 CHECK (unpaid_micros >= 0);

ALTER TABLE call_cost
  DROP CONSTRAINT call_cost_kind_check,
  ADD CONSTRAINT call_cost_kind_check CHECK (kind IN ('seller', 'seller_correction', 'seller_reversal', 'carrier',
    'carrier_correction'));

-- Calls out that wait for their way up: they travel with all others.
ALTER TABLE outbox NO FORCE ROW LEVEL SECURITY;
UPDATE outbox SET topic = 'leg_upward' WHERE topic = 'outgoing_upward' AND done_at IS NULL;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;

-- What a carrier did with a call is asked for as long as its answer ratio is, and on the page of the call; what was imported and
-- never published is asked for by nobody. Both are forgotten by age.
CREATE INDEX carrier_attempt_by_age ON carrier_attempt (book_id, at);
GRANT DELETE ON carrier_attempt TO ringtill_tenant;
GRANT DELETE ON rate_deck_version, rate_deck_row TO ringtill_tenant;

-- What was published stays as it is: its version by the publication that names it, its rows by this.
CREATE FUNCTION refuse_published_deck() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM rate_deck_publication p
             JOIN (SELECT DISTINCT tenant_id, deck_id, version FROM gone) g USING (tenant_id, deck_id, version)) THEN
    RAISE EXCEPTION 'a version of a rate deck that was published stays as it is' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER published_rows_stay AFTER DELETE ON rate_deck_row REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_published_deck();
