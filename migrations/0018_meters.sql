-- Why: a book measures more than calls. A meter says which events it counts: those of a type, and of them those with certain
-- dimensions; so one event may count on several meters, calls and minutes for instance. Without a type a meter counts events
-- that are called like itself, as all did before.

ALTER TABLE meter
  ADD COLUMN event_type text CHECK (length(event_type) BETWEEN 1 AND 200),
  ADD COLUMN filter jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(filter) = 'object');
COMMENT ON COLUMN meter.event_type IS 'Type of the events that it counts; null = its own code.';
COMMENT ON COLUMN meter.filter IS 'Dimensions that an event must have to be counted, as an object of texts.';

-- A cause is looked at by itself, the oldest first.
CREATE INDEX suspense_open_by_cause ON suspense (tenant_id, cause, received_at) WHERE resolved_at IS NULL;
