-- Why: who may come in, under which brand, and who sits on which seat. People are global (one e-mail, one password), their
-- memberships belong to an organisation. A browser's session is opaque; only its hash is stored, so a stolen table opens nothing.

CREATE TABLE domain (
  host text PRIMARY KEY CHECK (host = lower(host)),
  organisation_id uuid NOT NULL REFERENCES organisation,
  verified_at timestamptz
);
COMMENT ON TABLE domain IS 'White-label host names; served only when verified.';
CALL raise_global('domain', 'organisation_id = current_tenant_id()');

CREATE TABLE brand (
  tenant_id uuid PRIMARY KEY REFERENCES organisation,
  name text NOT NULL,
  logo_svg text NOT NULL,
  -- brand tokens: accent, accent_dark, .. six-digit hexadecimal colours, checked on the way in
  colours jsonb NOT NULL,
  support_email text,
  changed_at timestamptz NOT NULL
);
COMMENT ON TABLE brand IS 'Name, logo and colours that a host of this organisation shows.';
CALL raise_wall('brand', 'catalogue', 'change');

CREATE TABLE person (
  id uuid PRIMARY KEY,
  email text NOT NULL UNIQUE CHECK (email = lower(email) AND email LIKE '%_@_%'),
  name text NOT NULL,
  password_hash text NOT NULL,
  created_at timestamptz NOT NULL
);
COMMENT ON TABLE person IS 'One e-mail, one password; argon2id.';
CALL raise_global('person', NULL);

-- Not a column of person: an address that nobody has is slowed down exactly like one that somebody has, so that the answer
-- tells nothing. Only the hash of the address is kept, and old rows are forgotten.
CREATE TABLE sign_in_attempt (
  email_hash bytea PRIMARY KEY CHECK (length(email_hash) = 32),
  attempts int NOT NULL CHECK (attempts >= 0),
  last_at timestamptz NOT NULL
);
CREATE INDEX sign_in_attempt_by_time ON sign_in_attempt (last_at);
COMMENT ON TABLE sign_in_attempt IS 'Tries since the last success, per e-mail address: they slow down, they never lock out.';
CALL raise_global('sign_in_attempt', NULL);
GRANT DELETE ON sign_in_attempt TO ringtill_platform;

CREATE TABLE member (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  person_id uuid NOT NULL,
  name text NOT NULL,
  email text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'billing', 'support', 'agent', 'customer')),
  -- set for role customer: whom this person acts for in the portal
  customer_id uuid,
  created_at timestamptz NOT NULL,
  removed_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  CHECK ((role = 'customer') = (customer_id IS NOT NULL))
);
CREATE UNIQUE INDEX member_once ON member (tenant_id, person_id, role) WHERE removed_at IS NULL AND role <> 'customer';
CREATE UNIQUE INDEX member_customer_once ON member (tenant_id, person_id, customer_id) WHERE removed_at IS NULL AND role = 'customer';
COMMENT ON TABLE member IS 'A person with a role in an organisation.';
CALL raise_wall('member', 'customer', 'change');

CREATE TABLE agent (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  member_id uuid NOT NULL,
  name text NOT NULL,
  -- unique on this edge; also the key in sip_user
  sip_username text NOT NULL,
  created_at timestamptz NOT NULL,
  removed_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, member_id),
  UNIQUE (tenant_id, sip_username),
  FOREIGN KEY (tenant_id, member_id) REFERENCES member (tenant_id, id)
);
COMMENT ON TABLE agent IS 'A member who takes calls.';
CALL raise_wall('agent', 'book', 'change');

-- Found by user name before a tenant is known, hence global.
CREATE TABLE sip_user (
  username text PRIMARY KEY CHECK (username ~ '^[a-z0-9.-]{3,60}$'),
  organisation_id uuid NOT NULL REFERENCES organisation,
  agent_id uuid NOT NULL,
  ha1_md5 text NOT NULL,
  ha1_sha256 text NOT NULL,
  changed_at timestamptz NOT NULL
);
COMMENT ON TABLE sip_user IS 'Digest secrets of agents'' phones (RFC 7616 HA1), never a password.';
CALL raise_global('sip_user', NULL);

CREATE TABLE agent_state (
  tenant_id uuid NOT NULL REFERENCES organisation,
  agent_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('ready', 'not_ready', 'talking', 'wrap_up')),
  reason text,
  since timestamptz NOT NULL,
  -- when the agent last finished a call: the longest idle is rung first
  last_call_ended_at timestamptz,
  PRIMARY KEY (tenant_id, agent_id),
  FOREIGN KEY (tenant_id, agent_id) REFERENCES agent (tenant_id, id)
);
COMMENT ON TABLE agent_state IS 'What a signed-in agent is doing now.';
CALL raise_wall('agent_state', 'book', 'full');

CREATE TABLE seat_session (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  agent_id uuid NOT NULL,
  opened_at timestamptz NOT NULL,
  last_heartbeat_at timestamptz NOT NULL,
  closed_at timestamptz CHECK (closed_at >= opened_at),
  closed_by text CHECK (closed_by IN ('sign_out', 'missed_heartbeat', 'admin')),
  PRIMARY KEY (tenant_id, id),
  CHECK ((closed_at IS NULL) = (closed_by IS NULL)),
  FOREIGN KEY (tenant_id, agent_id) REFERENCES agent (tenant_id, id)
);
CREATE UNIQUE INDEX seat_session_one_open ON seat_session (tenant_id, agent_id) WHERE closed_at IS NULL;
CREATE INDEX seat_session_by_time ON seat_session (tenant_id, opened_at);
COMMENT ON TABLE seat_session IS 'One stay of an agent on a seat: opened by sign-in, closed by sign-out or a missed heartbeat. Seats are billed from these.';
CALL raise_wall('seat_session', 'book', 'change');

CREATE TABLE sign_in_session (
  token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
  person_id uuid NOT NULL REFERENCES person,
  organisation_id uuid NOT NULL REFERENCES organisation,
  member_id uuid NOT NULL,
  csrf_token text NOT NULL,
  user_agent text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX sign_in_session_of_person ON sign_in_session (person_id) WHERE ended_at IS NULL;
COMMENT ON TABLE sign_in_session IS 'Browser sessions: SHA-256 of an opaque token of 256 bits.';
CALL raise_global('sign_in_session', NULL);

CREATE TABLE audit_entry (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  subject text NOT NULL,
  -- hashed with the salt, so that erasing payload and salt leaves the chain whole
  payload jsonb,
  salt bytea,
  payload_hash bytea NOT NULL CHECK (length(payload_hash) = 32),
  PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE audit_entry IS 'Who did what. Append only.';
CALL raise_wall('audit_entry', 'book', 'append');

CREATE TABLE audit_link (
  tenant_id uuid NOT NULL REFERENCES organisation,
  position bigint NOT NULL CHECK (position > 0),
  entry_id uuid NOT NULL,
  hash bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (tenant_id, position),
  UNIQUE (tenant_id, entry_id),
  FOREIGN KEY (tenant_id, entry_id) REFERENCES audit_entry (tenant_id, id)
);
COMMENT ON TABLE audit_link IS 'The hash chain over audit entries, computed after commit by the worker: hash = SHA-256(hash before, entry).';
CALL raise_wall('audit_link', 'book', 'append');
