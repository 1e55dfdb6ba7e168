-- Why: calls go out of our own edge. A carrier has an address where it takes them, and perhaps a password; and a book says who pays
-- for what its agents dial, and which of its numbers is shown.

CREATE TABLE carrier_trunk (
  tenant_id uuid NOT NULL REFERENCES organisation,
  carrier_id uuid NOT NULL,
  -- an address or a name
  host text NOT NULL CHECK (length(host) BETWEEN 1 AND 253),
  port int NOT NULL CHECK (port BETWEEN 1 AND 65535),
  transport text NOT NULL CHECK (transport IN ('udp', 'tcp', 'tls')),
  username text CHECK (length(username) BETWEEN 1 AND 80),
  -- encrypted by a key that the database does not know
  password_sealed text,
  -- where it reads the caller's number
  shown_as text NOT NULL CHECK (shown_as IN ('from', 'asserted', 'account')),
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, carrier_id),
  FOREIGN KEY (tenant_id, carrier_id) REFERENCES carrier (tenant_id, id),
  CHECK (username IS NOT NULL OR (password_sealed IS NULL AND shown_as <> 'account'))
);
COMMENT ON TABLE carrier_trunk IS 'Where a carrier takes live calls. One without an address carries only what other switches tell of.';
CALL raise_wall('carrier_trunk', 'book', 'full');

CREATE TABLE outgoing_line (
  tenant_id uuid NOT NULL REFERENCES organisation,
  -- the nil uuid: every agent that has none of its own
  agent_id uuid NOT NULL,
  -- who pays
  customer_id uuid NOT NULL,
  -- what is shown: a number of the book
  number text NOT NULL CHECK (number ~ '^\+[0-9]{5,15}$'),
  -- whose national numbers may be dialled as they are there; NULL: only with the country's code
  country_code text CHECK (country_code ~ '^[1-9][0-9]{0,2}$'),
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, agent_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
COMMENT ON TABLE outgoing_line IS 'Who pays for what an agent dials, and the number that is shown. Without a row no agent dials out.';
CALL raise_wall('outgoing_line', 'book', 'full');
