-- Why: whether an automatic top-up was paid is told by what was paid in since it was asked for, and no more by all that ever came.

ALTER TABLE recharge_attempt DROP COLUMN credited_micros;
