-- Why: whether an automatic top-up was paid is told by what was paid in since it was asked for, and no more by all that ever came.
-- The column goes when no program that writes it can run beside this one any more.

ALTER TABLE recharge_attempt ALTER COLUMN credited_micros SET DEFAULT 0;
COMMENT ON COLUMN recharge_attempt.credited_micros IS 'Not read any more.';
