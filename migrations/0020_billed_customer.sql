-- Why: a customer looks at its next invoice by the code that writes it, and what was billed before must be known to it then: a
-- row that only the book saw made months that were paid stand on the next invoice once more.

ALTER TABLE billed_service ADD COLUMN customer_id uuid;
-- The owner of the schema is behind the wall, too, unless it steps out for a moment.
ALTER TABLE billed_service NO FORCE ROW LEVEL SECURITY;
ALTER TABLE subscription NO FORCE ROW LEVEL SECURITY;
UPDATE billed_service b SET customer_id = coalesce(
  (SELECT s.customer_id FROM subscription s WHERE s.tenant_id = b.tenant_id AND s.id = b.billed_id), b.billed_id);
ALTER TABLE subscription FORCE ROW LEVEL SECURITY;
ALTER TABLE billed_service ALTER COLUMN customer_id SET NOT NULL;
ALTER TABLE billed_service ADD FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id);
COMMENT ON COLUMN billed_service.customer_id IS 'Who was billed, and may see it.';
DROP POLICY tenant_wall ON billed_service;
DROP POLICY platform_reads ON billed_service;
CALL raise_wall('billed_service', 'customer', 'append');
