-- Why: a change in the middle of a period makes several claims of one key in it, so claims are read by time and not key by key;
-- an invoice may be credited line by line; and usage that is not folded yet is found by customer, meter and hour.

-- What was billed lately of a subscription, in one range however long its history.
CREATE INDEX billed_service_by_time ON billed_service (tenant_id, billed_id, service_starts_at);

-- the line of an invoice that a credit note's line corrects
ALTER TABLE document_line ADD COLUMN corrects_line uuid;
CREATE INDEX document_correcting ON document (tenant_id, corrects) WHERE corrects IS NOT NULL;

-- Runs and pages ask for a customer's sums of a meter in a period; the primary key only knows the batch.
CREATE INDEX usage_sum_of_customer ON usage_sum (tenant_id, customer_id, meter, hour);
