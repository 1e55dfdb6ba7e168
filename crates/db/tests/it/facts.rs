//! What PostgreSQL's catalogue says about a database: read once, judged elsewhere.

use sqlx::Row;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Catalogue {
    pub tables: BTreeMap<String, Table>,
    pub views: Vec<View>,
    pub functions: Vec<Definer>,
    /// What is wrong with the login roles, in sentences.
    pub roles: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Table {
    pub columns: Vec<String>,
    pub is_partition: bool,
    pub is_enabled: bool,
    pub is_forced: bool,
    pub policies: Vec<Policy>,
    pub keys: Vec<Key>,
    /// (grantee, privilege) beside the owner's; PUBLIC is written so.
    pub grants: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Policy {
    pub name: String,
    pub roles: Vec<String>,
    pub command: String,
    pub using: String,
    pub check: String,
}

/// A primary, unique, foreign or exclusion key, or a unique index.
#[derive(Debug)]
pub struct Key {
    pub name: String,
    /// p, u, f, x, or i for an index.
    pub kind: char,
    pub columns: Vec<String>,
}

#[derive(Debug)]
pub struct View {
    pub name: String,
    pub is_materialized: bool,
    pub options: Vec<String>,
}

/// A function that runs with its owner's rights.
#[derive(Debug)]
pub struct Definer {
    pub name: String,
    pub settings: Vec<String>,
    pub is_open_to_all: bool,
}

/// Reads the catalogue as the owner of the schema.
pub async fn read(owner: &mut PgConnection) -> Catalogue {
    let mut catalogue = Catalogue { tables: tables(owner).await, ..Catalogue::default() };
    for row in rows(owner, POLICIES).await {
        let policy = Policy {
            name: row.get("name"),
            roles: row.get("roles"),
            command: row.get("command"),
            using: row.get("using_clause"),
            check: row.get("check_clause"),
        };
        of(&mut catalogue, &row).policies.push(policy);
    }
    for row in rows(owner, KEYS).await {
        let kind = row.get::<String, _>("kind").chars().next().unwrap();
        let key = Key { name: row.get("name"), kind, columns: row.get("columns") };
        of(&mut catalogue, &row).keys.push(key);
    }
    for row in rows(owner, GRANTS).await {
        let grant = (row.get("grantee"), row.get("privilege"));
        of(&mut catalogue, &row).grants.push(grant);
    }
    for row in rows(owner, VIEWS).await {
        catalogue.views.push(View {
            name: row.get("name"),
            is_materialized: row.get("is_materialized"),
            options: row.get("options"),
        });
    }
    for row in rows(owner, DEFINERS).await {
        catalogue.functions.push(Definer {
            name: row.get("name"),
            settings: row.get("settings"),
            is_open_to_all: row.get("is_open_to_all"),
        });
    }
    catalogue.roles = rows(owner, ROLES).await.iter().map(|row| row.get("fault")).collect();
    catalogue
}

async fn rows(owner: &mut PgConnection, query: &'static str) -> Vec<sqlx::postgres::PgRow> {
    sqlx::query(query).fetch_all(owner).await.unwrap()
}

fn of<'a>(catalogue: &'a mut Catalogue, row: &sqlx::postgres::PgRow) -> &'a mut Table {
    catalogue.tables.get_mut(&row.get::<String, _>("table_name")).unwrap()
}

async fn tables(owner: &mut PgConnection) -> BTreeMap<String, Table> {
    let table = |row: &sqlx::postgres::PgRow| Table {
        columns: row.get("columns"),
        is_partition: row.get("is_partition"),
        is_enabled: row.get("is_enabled"),
        is_forced: row.get("is_forced"),
        ..Table::default()
    };
    rows(owner, TABLES).await.iter().map(|row| (row.get("table_name"), table(row))).collect()
}

const TABLES: &str = "
SELECT c.relname::text AS table_name, c.relispartition AS is_partition, c.relrowsecurity AS is_enabled, c.relforcerowsecurity AS is_forced,
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')";

const POLICIES: &str = "
SELECT tablename::text AS table_name, policyname::text AS name, roles::text[] AS roles, cmd::text AS command, coalesce(qual, '') AS using_clause,
       coalesce(with_check, '') AS check_clause
FROM pg_policies WHERE schemaname = 'public' ORDER BY 1, 2";

const KEYS: &str = "
SELECT r.relname::text AS table_name, k.conname::text AS name, k.contype::text AS kind,
       coalesce((SELECT array_agg(a.attname::text ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum), '{}') AS columns
FROM pg_constraint k JOIN pg_class r ON r.oid = k.conrelid
WHERE r.relnamespace = 'public'::regnamespace AND k.contype IN ('p', 'u', 'f', 'x') AND r.relkind IN ('r', 'p')
UNION ALL
SELECT r.relname, x.relname, 'i',
       coalesce((SELECT array_agg(a.attname::text ORDER BY u.place) FROM unnest(i.indkey) WITH ORDINALITY AS u(attnum, place)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum), '{}')
FROM pg_index i JOIN pg_class r ON r.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
WHERE r.relnamespace = 'public'::regnamespace AND i.indisunique AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)
ORDER BY 1, 2";

/// Grants on tables and on single columns.
const GRANTS: &str = "
SELECT c.relname::text AS table_name, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS grantee, g.privilege_type AS privilege
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) g
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND g.grantee <> c.relowner
UNION ALL
SELECT c.relname, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, g.privilege_type || ' of ' || a.attname
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid CROSS JOIN LATERAL aclexplode(a.attacl) g
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY 1, 2, 3";

const VIEWS: &str = "
SELECT c.relname::text AS name, c.relkind = 'm' AS is_materialized, coalesce(c.reloptions, '{}') AS options
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm') ORDER BY 1";

/// Those of extensions are PostgreSQL's own.
const DEFINERS: &str = "
SELECT p.proname::text AS name, coalesce(p.proconfig, '{}') AS settings, has_function_privilege('public', p.oid, 'EXECUTE') AS is_open_to_all
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') ORDER BY 1";

const ROLES: &str = "
SELECT r.rolname || ': ' || f.fault AS fault
FROM pg_roles r CROSS JOIN LATERAL (VALUES
  (r.rolsuper, 'is a superuser'), (r.rolbypassrls, 'bypasses policies'), (r.rolcreaterole, 'makes roles'), (r.rolcreatedb, 'makes databases'),
  (r.rolreplication, 'replicates'),
  (EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = r.oid), 'is a member of another role'),
  (EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid AND c.relpersistence <> 't'), 'owns a table'),
  (EXISTS (SELECT 1 FROM pg_proc p WHERE p.proowner = r.oid), 'owns a function'),
  (EXISTS (SELECT 1 FROM pg_namespace n WHERE n.nspowner = r.oid), 'owns a schema'),
  (has_schema_privilege(r.oid, 'public', 'CREATE'), 'may create in the schema')) AS f(is_so, fault)
WHERE r.rolname IN ('ringtill_tenant', 'ringtill_platform') AND f.is_so
UNION ALL
SELECT missing || ': does not exist' FROM unnest(ARRAY['ringtill_tenant', 'ringtill_platform']) AS missing
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = missing)
ORDER BY 1";
