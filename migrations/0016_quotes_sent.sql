-- Why: a quote says which quantities its month was reckoned with, is sent to somebody, may be reached by several links, and keeps
-- what was written when it was accepted, word for word.

ALTER TABLE quote
  -- by component key: the month that the reader is shown
  ADD COLUMN quantities jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN sent_at timestamptz,
  -- the address that it went to last
  ADD COLUMN sent_to text,
  -- name, e-mail and the details of who accepted, as they were written
  ADD COLUMN acceptance jsonb,
  ADD CHECK ((sent_at IS NULL) = (sent_to IS NULL)),
  ADD CHECK (acceptance IS NULL OR accepted_at IS NOT NULL);

-- The link of its making stands in the quote; these were made later. All open the quote until its end.
CREATE TABLE quote_link (
  tenant_id uuid NOT NULL,
  -- SHA-256 of the secret in the link
  token_hash bytea NOT NULL,
  quote_id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  PRIMARY KEY (tenant_id, token_hash),
  FOREIGN KEY (tenant_id, quote_id) REFERENCES quote (tenant_id, id)
);
COMMENT ON TABLE quote_link IS 'A further link to a quote: its secret is shown once and kept as a hash.';
CALL raise_wall('quote_link', 'book', 'append');

-- Lists are read page by page, newest first.
DROP INDEX quote_by_time;
CREATE INDEX quote_by_time ON quote (tenant_id, created_at DESC, id DESC);
DROP INDEX estimate_by_time;
CREATE INDEX estimate_by_time ON estimate (tenant_id, created_at DESC, id DESC);
