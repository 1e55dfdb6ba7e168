-- Why: another system comes in with a key instead of a password. Only the SHA-256 of a key is stored, so a stolen table opens
-- nothing; a key says which nouns it may read or write, and ends by its date or by its owner. What a request that changed
-- something was answered is kept beside it for some days, so that the same request, sent again, changes nothing.

CREATE TABLE api_key (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  name text NOT NULL CHECK (name <> ''),
  -- the beginning of the key, by which a person recognises it
  start text NOT NULL,
  secret_hash bytea NOT NULL CHECK (length(secret_hash) = 32),
  -- customers:read, customers:write ..
  scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  expires_at timestamptz CHECK (expires_at > created_at),
  last_used_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, secret_hash)
);
-- A key is looked up before a tenant is known.
CREATE INDEX api_key_by_secret ON api_key (secret_hash);
COMMENT ON TABLE api_key IS 'Keys of other systems: SHA-256 of 160 random bits, what they may do, until when.';
CALL raise_wall('api_key', 'book', 'change');

CREATE TABLE api_reply (
  tenant_id uuid NOT NULL REFERENCES organisation,
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  -- SHA-256 of method, path and body
  request_hash bytea NOT NULL CHECK (length(request_hash) = 32),
  status int NOT NULL CHECK (status BETWEEN 200 AND 299),
  -- as it was sent, byte for byte
  body text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, key)
);
CREATE INDEX api_reply_by_time ON api_reply (tenant_id, created_at);
COMMENT ON TABLE api_reply IS 'What a changing request was answered, by its Idempotency-Key; written in the transaction of its effect, kept 7 days.';
CALL raise_wall('api_reply', 'book', 'full');
