-- Why: a month that has ended is billed without anybody remembering it. Each book has one scheduled run for a day, however many
-- workers look at the same clock at once.

ALTER TABLE invoice_run ADD COLUMN is_scheduled boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX invoice_run_one_scheduled ON invoice_run (tenant_id, until_on) WHERE is_scheduled;
COMMENT ON COLUMN invoice_run.is_scheduled IS 'Started by the clock after a month has ended, not by a person.';
