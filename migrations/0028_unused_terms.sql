-- What no program reads any more. Add-ons moved to subscription_change with 0009, and every program since then reads them there:
-- the table goes. A subscription's status is folded from its changes; programs up to now still write the word of its first day, so
-- the column may stay empty from here on, and goes when none of them runs.
DROP TABLE subscription_add_on;
ALTER TABLE subscription ALTER COLUMN status DROP NOT NULL;
COMMENT ON COLUMN subscription.status IS 'Written by older programs, read by none.';
