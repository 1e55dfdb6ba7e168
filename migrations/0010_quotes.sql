-- Why: what is offered is written down as it will be sold. A quote carries the terms of a plan version and the customer's
-- details as documents; accepting it makes the plan, its version, the customer and the subscription in one transaction, once.
-- Estimates are what a quote is made of. Both are shared by a link whose secret is kept only as a hash.

CREATE TABLE estimate (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  name text NOT NULL CHECK (name <> ''),
  -- what was asked, and what came out; both as the estimator wrote them
  input jsonb NOT NULL,
  result jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  -- SHA-256 of the secret in the link; null = not shared
  token_hash bytea,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, token_hash)
);
CREATE INDEX estimate_by_time ON estimate (tenant_id, created_at);
COMMENT ON TABLE estimate IS 'A saved estimate: volumes and hours in, staffing and suggested rates out.';
CALL raise_wall('estimate', 'book', 'change');

CREATE TABLE quote (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  -- as printed: Q-00042
  number text NOT NULL,
  -- name of the plan to be
  plan_name text NOT NULL CHECK (plan_name <> ''),
  plan_description text NOT NULL DEFAULT '',
  -- the terms, as the document of a plan version
  terms jsonb NOT NULL,
  seats int NOT NULL DEFAULT 0 CHECK (seats >= 0),
  -- begin with the trial of the terms
  with_trial boolean NOT NULL DEFAULT false,
  -- whom it is for: a customer of the book, or the details of one to be
  customer_id uuid,
  customer jsonb,
  estimate_id uuid,
  note text NOT NULL DEFAULT '',
  valid_until timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  token_hash bytea NOT NULL,
  withdrawn_at timestamptz,
  accepted_at timestamptz,
  accepted_by text,
  plan_version_id uuid,
  subscription_id uuid,
  CHECK ((customer_id IS NULL) <> (customer IS NULL) OR accepted_at IS NOT NULL),
  CHECK ((accepted_at IS NULL) = (subscription_id IS NULL) AND (accepted_at IS NULL) = (accepted_by IS NULL)),
  CHECK (accepted_at IS NULL OR withdrawn_at IS NULL),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, number),
  UNIQUE (tenant_id, token_hash),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
  FOREIGN KEY (tenant_id, estimate_id) REFERENCES estimate (tenant_id, id),
  FOREIGN KEY (tenant_id, plan_version_id) REFERENCES plan_version (tenant_id, id),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id)
);
CREATE INDEX quote_by_time ON quote (tenant_id, created_at);
COMMENT ON TABLE quote IS 'An offer: accepted by its link it becomes plan, version, customer and subscription, once.';
CALL raise_wall('quote', 'book', 'change');
