-- Why: another switch's call records come as files. An import keeps its file until it is worked through, and its place in it:
-- rows are taken in blocks, each with the new place in one transaction, so that a crash goes on at the row and nothing is counted
-- twice. What was refused is kept with the field, the rule and the value, for whoever must mend it. How a file is read can be kept
-- by a name.

CREATE TABLE call_import (
  tenant_id uuid NOT NULL REFERENCES organisation,
  id uuid NOT NULL,
  -- as the file was called
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  settings jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
  file_hash bytea NOT NULL CHECK (length(file_hash) = 32),
  file_bytes bigint NOT NULL CHECK (file_bytes > 0),
  state text NOT NULL CHECK (state IN ('uploaded', 'trying', 'tried', 'running', 'done', 'stopped')),
  -- rows and bytes that are worked through, of the trial or of the import itself
  cursor_rows bigint NOT NULL DEFAULT 0 CHECK (cursor_rows >= 0),
  cursor_bytes bigint NOT NULL DEFAULT 0 CHECK (cursor_bytes BETWEEN 0 AND file_bytes),
  accepted bigint NOT NULL DEFAULT 0,
  duplicate bigint NOT NULL DEFAULT 0,
  conflict bigint NOT NULL DEFAULT 0,
  suspended bigint NOT NULL DEFAULT 0,
  refused bigint NOT NULL DEFAULT 0,
  -- of the accepted: those that a tariff charged, with the sum, and those that a plan covers
  charged bigint NOT NULL DEFAULT 0,
  charged_micros bigint NOT NULL DEFAULT 0,
  covered bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  started_at timestamptz,
  finished_at timestamptz,
  -- why it was stopped
  stopped_because text,
  -- who works at it holds it until then
  held_until timestamptz,
  PRIMARY KEY (tenant_id, id),
  CHECK (cursor_rows = accepted + duplicate + conflict + suspended + refused)
);
CREATE INDEX call_import_by_time ON call_import (tenant_id, created_at);
CREATE INDEX call_import_due ON call_import (tenant_id, created_at) WHERE state IN ('trying', 'running');
COMMENT ON TABLE call_import IS 'A file of call records, how it is read and how far it is worked through.';
CALL raise_wall('call_import', 'book', 'full');

CREATE TABLE call_import_chunk (
  tenant_id uuid NOT NULL,
  import_id uuid NOT NULL,
  position int NOT NULL CHECK (position >= 0),
  bytes bytea NOT NULL CHECK (length(bytes) BETWEEN 1 AND 1048576),
  PRIMARY KEY (tenant_id, import_id, position),
  FOREIGN KEY (tenant_id, import_id) REFERENCES call_import (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE call_import_chunk IS 'The bytes of an import''s file, unpacked; given up when it is done.';
CALL raise_wall('call_import_chunk', 'book', 'full');

CREATE TABLE call_import_refusal (
  tenant_id uuid NOT NULL,
  import_id uuid NOT NULL,
  -- its place among the rows of the file, from 1
  position bigint NOT NULL CHECK (position > 0),
  -- the line of a CSV file, else the place
  row_no bigint NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('refused', 'suspense', 'conflict')),
  field text NOT NULL,
  rule text NOT NULL,
  detail text NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (tenant_id, import_id, position),
  FOREIGN KEY (tenant_id, import_id) REFERENCES call_import (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE call_import_refusal IS 'Rows that were not counted: where, which field, which rule, what stood there.';
CALL raise_wall('call_import_refusal', 'book', 'full');

CREATE TABLE call_import_mapping (
  tenant_id uuid NOT NULL REFERENCES organisation,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
  settings jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
  saved_at timestamptz NOT NULL,
  saved_by text NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
COMMENT ON TABLE call_import_mapping IS 'How a switch''s files are read, by a name.';
CALL raise_wall('call_import_mapping', 'book', 'full');
