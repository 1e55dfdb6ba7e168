-- Why: trials end, terms renew, loyalty is reached and changes take effect by the clock. Each subscription says itself when the
-- clock next has something to do with it, so that looking costs what is due and not what exists.

ALTER TABLE subscription ADD COLUMN next_look_at timestamptz;
UPDATE subscription SET next_look_at = started_at;
CREATE INDEX subscription_to_look_at ON subscription (tenant_id, next_look_at) WHERE next_look_at IS NOT NULL;
COMMENT ON COLUMN subscription.next_look_at IS 'When the clock next does something to it; null = never again.';
