-- Why: a call that comes late (a record of another switch, a file of last month) is charged by what was offered, and to whom the
-- phone was, when it began. What a topic offered until a change, and whose a phone was until it was taken away, stay here. What
-- was first holds for all time before: the past of whoever comes with old records is told by what is set up first.

ALTER TABLE topic ADD COLUMN since timestamptz;
COMMENT ON COLUMN topic.since IS 'Empty for the first topic of its digit: it stands for calls before it was made, too.';

CREATE TABLE topic_before (
  tenant_id uuid NOT NULL REFERENCES organisation,
  topic_id uuid NOT NULL,
  -- it offered this until then, from the change before
  until timestamptz NOT NULL,
  name text NOT NULL,
  tariff_id uuid NOT NULL,
  meter_starts text NOT NULL CHECK (meter_starts IN ('agent_joined', 'topic_chosen')),
  PRIMARY KEY (tenant_id, topic_id, until),
  FOREIGN KEY (tenant_id, topic_id) REFERENCES topic (tenant_id, id),
  FOREIGN KEY (tenant_id, tariff_id) REFERENCES tariff (tenant_id, id)
);
COMMENT ON TABLE topic_before IS 'What a topic offered until it was changed.';
CALL raise_wall('topic_before', 'book', 'append');

ALTER TABLE customer_phone ADD COLUMN since timestamptz;
COMMENT ON COLUMN customer_phone.since IS 'Empty for the first customer that had it: it was theirs before it was told, too.';

CREATE TABLE customer_phone_before (
  tenant_id uuid NOT NULL REFERENCES organisation,
  e164 text NOT NULL,
  -- it was this customer's until then
  until timestamptz NOT NULL,
  customer_id uuid NOT NULL,
  since timestamptz,
  PRIMARY KEY (tenant_id, e164, until),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
COMMENT ON TABLE customer_phone_before IS 'Whose a number was, before it was taken away.';
CALL raise_wall('customer_phone_before', 'book', 'append');
