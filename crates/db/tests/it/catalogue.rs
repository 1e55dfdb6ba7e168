//! The rules of the wall and of growing past one machine, judged on the catalogue of the migrated schema.

use crate::facts::{Catalogue, Table, read};
use crate::schema::{close, connect};
use db::testing::fresh_database;

const TENANT: &str = "ringtill_tenant";
const PLATFORM: &str = "ringtill_platform";

/// Tables outside all books: small, written by the platform only. A new one needs a line here.
const GLOBAL: [&str; 10] = [
    "domain",
    "number",
    "number_assignment",
    "organisation",
    "organisation_parent",
    "person",
    "sign_in_attempt",
    "sign_in_session",
    "sip_user",
    "usage_kept",
];

/// What is written stays: no update, no delete.
const APPEND: &[&str] = &[
    "account",
    "allowance_use",
    "audit_entry",
    "audit_link",
    "billed_service",
    "call_correction",
    "call_cost",
    "call_event",
    "call_event_key",
    "call_leg",
    "component",
    "customer_event",
    "customer_phone_before",
    "document",
    "document_file",
    "document_line",
    "document_tax",
    "event_key",
    "ledger_entry",
    "ledger_transaction",
    "payment",
    "payment_allocation",
    "plan_version",
    "quote_link",
    "rate_deck",
    "refund",
    "service_period",
    "spend_alert",
    "subscription_event",
    "tariff",
    "topic_before",
    "usage_batch",
    "usage_event",
    "usage_span",
];

/// Functions that run with their owner's rights. A new one needs a line here, and a reason beside it in its migration.
const DEFINERS: [&str; 2] = ["detach_usage_partitions", "ensure_usage_partitions"];

/// What the platform deletes in books: keys of events and what is swept of them, and no sooner than nothing that repeats one or
/// touches its hour is accepted any more.
const PRUNED: [&str; 3] = ["call_event_key", "event_key", "usage_span"];

/// Global, and of no tenant: each may read it.
const OF_NOBODY: [&str; 1] = ["usage_kept"];

/// Every rule that a schema breaks, as sentences that begin with the name of what breaks it.
pub fn violations(catalogue: &Catalogue) -> Vec<String> {
    let mut found = Vec::new();
    for (name, table) in &catalogue.tables {
        let mut say = |what: String| found.push(format!("{name}: {what}"));
        if name == "_sqlx_migrations" || table.is_partition {
            // Reached through its parent, whose policy holds, or not at all.
            table.grants.iter().for_each(|(grantee, privilege)| say(format!("{privilege} is granted to {grantee}")));
        } else if table.columns.iter().any(|column| column == "tenant_id") {
            check_walls(table, name, &mut say);
            check_keys(table, &mut say);
            check_grants(table, name, &mut say);
        } else if GLOBAL.contains(&name.as_str()) {
            check_global(table, name, &mut say);
        } else {
            say("has no tenant_id and is not on the list of global tables".to_owned());
        }
    }
    for append in APPEND.iter().filter(|name| !catalogue.tables.contains_key(**name)) {
        found.push(format!("{append}: is on the list of tables that only grow, but does not exist"));
    }
    for view in &catalogue.views {
        if view.is_materialized {
            found.push(format!("{}: a materialized view has no policies", view.name));
        } else if !view.options.iter().any(|option| option == "security_invoker=true") {
            found.push(format!("{}: a view without security_invoker shows what its owner sees", view.name));
        }
    }
    for function in &catalogue.functions {
        if !DEFINERS.contains(&function.name.as_str()) {
            found.push(format!("{}: a SECURITY DEFINER function that is not on the list", function.name));
        }
        if !function.settings.iter().any(|setting| setting.starts_with("search_path=") && setting.ends_with("pg_temp"))
        {
            found.push(format!(
                "{}: a SECURITY DEFINER function without a fixed search_path that ends with pg_temp",
                function.name
            ));
        }
        if function.is_open_to_all {
            found.push(format!("{}: a SECURITY DEFINER function that everybody may call", function.name));
        }
    }
    found.extend(catalogue.roles.iter().cloned());
    found
}

fn check_walls(table: &Table, name: &str, say: &mut impl FnMut(String)) {
    if !table.is_enabled || !table.is_forced {
        say("row level security is not enabled and forced".to_owned());
    }
    // The one exception to the tenant policy: a leg stands where its call happened and belongs to the book of its level, and so
    // does what each level decided about a call that goes out.
    let of_a_level = ["call_leg", "carrier_attempt", "outgoing_call"].contains(&name);
    let owner = if of_a_level { "book_id" } else { "tenant_id" };
    let wall = format!("({owner} = current_tenant_id())");
    let mut has_wall = false;
    for policy in &table.policies {
        let is_for = |role: &str| policy.roles.iter().any(|found| found == role || found == "public");
        if is_for(TENANT) {
            has_wall = true;
            if !policy.using.contains(&wall) || !policy.check.contains(&wall) || has_alternative(&policy.using, &wall) {
                say(format!("policy {} does not hold every row to {owner} = current_tenant_id()", policy.name));
            }
        }
        let prunes = PRUNED.contains(&name) && policy.command == "DELETE" && policy.using.contains("'1 year 1 mon'");
        if is_for(PLATFORM) && policy.command != "SELECT" && !prunes {
            say(format!("policy {} lets the platform write in a book", policy.name));
        }
    }
    if !has_wall {
        say(format!("no policy for {TENANT}"));
    }
}

/// True where the wall is not one of the conditions that must all hold, as in `wall OR public`.
fn has_alternative(clause: &str, wall: &str) -> bool {
    let rest =
        clause.strip_prefix(wall).or_else(|| clause.strip_prefix('(').and_then(|clause| clause.strip_prefix(wall)));
    rest.is_none_or(|rest| !(rest.is_empty() || rest.starts_with(" AND ")))
}

fn check_keys(table: &Table, say: &mut impl FnMut(String)) {
    for key in &table.keys {
        if !key.columns.iter().any(|column| column == "tenant_id") {
            say(format!("key {} ({}) does not contain tenant_id", key.name, key.columns.join(", ")));
        }
        if key.kind == 'p' && key.columns.first().is_none_or(|column| column != "tenant_id") {
            say(format!("primary key {} does not begin with tenant_id", key.name));
        }
    }
    if !table.keys.iter().any(|key| key.kind == 'p') {
        say("has no primary key".to_owned());
    }
}

fn check_grants(table: &Table, name: &str, say: &mut impl FnMut(String)) {
    let only_grows = APPEND.contains(&name);
    for (grantee, privilege) in &table.grants {
        let is_allowed = match (grantee.as_str(), privilege.as_str()) {
            (TENANT, "SELECT" | "INSERT") | (PLATFORM, "SELECT") => true,
            (TENANT, "UPDATE" | "DELETE") => !only_grows,
            (PLATFORM, "DELETE") => PRUNED.contains(&name),
            _ => false,
        };
        if !is_allowed {
            say(format!("{privilege} is granted to {grantee}"));
        }
    }
    // What may be removed but not changed does not only grow, either: a draft.
    let changes = |privilege: &str| matches!(privilege, "UPDATE" | "DELETE");
    let may_change = table.grants.iter().any(|(grantee, privilege)| grantee == TENANT && changes(privilege));
    if !may_change && !only_grows {
        say("only grows, but is not on the list of tables that do".to_owned());
    }
}

fn check_global(table: &Table, name: &str, say: &mut impl FnMut(String)) {
    if !table.is_enabled || !table.is_forced {
        say("row level security is not enabled and forced".to_owned());
    }
    for (grantee, privilege) in &table.grants {
        let is_allowed = matches!(
            (grantee.as_str(), privilege.as_str()),
            (TENANT, "SELECT") | (PLATFORM, "SELECT" | "INSERT" | "UPDATE" | "DELETE")
        );
        if !is_allowed {
            say(format!("{privilege} is granted to {grantee}"));
        }
    }
    for policy in
        table.policies.iter().filter(|policy| policy.roles.iter().any(|role| role == TENANT || role == "public"))
    {
        if policy.command != "SELECT" || (policy.using.trim_matches(['(', ')']) == "true" && !OF_NOBODY.contains(&name))
        {
            say(format!("policy {} shows or lets a tenant write more than its own", policy.name));
        }
    }
}

#[tokio::test]
async fn the_schema_keeps_every_rule() {
    let test = fresh_database().await;
    let mut owner = connect(&test.owner).await;
    let catalogue = read(&mut owner).await;
    close(owner).await;
    assert!(catalogue.tables.len() > 40, "the catalogue was read");
    assert_eq!(violations(&catalogue), Vec::<String>::new());
}

/// A table that keeps every rule; each case below breaks one.
const GOOD: &str = "
CREATE TABLE trial (tenant_id uuid NOT NULL REFERENCES organisation, id uuid NOT NULL, customer_id uuid, PRIMARY KEY (tenant_id, id));
CALL raise_wall('trial', 'customer', 'change');";

#[tokio::test]
async fn every_rule_is_seen_to_fail_on_a_schema_that_breaks_it() {
    let test = fresh_database().await;
    for (breaks, expected) in [
        ("", None),
        ("DROP POLICY tenant_wall ON trial", Some("trial: no policy for ringtill_tenant")),
        ("ALTER TABLE trial NO FORCE ROW LEVEL SECURITY", Some("trial: row level security is not enabled and forced")),
        ("ALTER TABLE trial DISABLE ROW LEVEL SECURITY", Some("trial: row level security is not enabled and forced")),
        ("CREATE POLICY wide ON trial USING (true)", Some("trial: policy wide does not hold every row to tenant_id = current_tenant_id()")),
        (
            "CREATE POLICY leaky ON trial TO ringtill_tenant USING (tenant_id = current_tenant_id() OR id IS NULL) WITH CHECK (tenant_id = current_tenant_id())",
            Some("trial: policy leaky does not hold every row to tenant_id = current_tenant_id()"),
        ),
        (
            "CREATE POLICY half ON trial TO ringtill_tenant USING (tenant_id = current_tenant_id()) WITH CHECK (true)",
            Some("trial: policy half does not hold every row to tenant_id = current_tenant_id()"),
        ),
        ("CREATE POLICY writes ON trial TO ringtill_platform USING (true)", Some("trial: policy writes lets the platform write in a book")),
        ("ALTER TABLE trial ADD UNIQUE (id)", Some("trial: key trial_id_key (id) does not contain tenant_id")),
        ("CREATE UNIQUE INDEX trial_once ON trial (customer_id)", Some("trial: key trial_once (customer_id) does not contain tenant_id")),
        ("ALTER TABLE trial ADD FOREIGN KEY (id) REFERENCES person", Some("trial: key trial_id_fkey (id) does not contain tenant_id")),
        ("ALTER TABLE trial ADD EXCLUDE USING gist (id WITH =)", Some("trial: key trial_id_excl (id) does not contain tenant_id")),
        (
            "ALTER TABLE trial DROP CONSTRAINT trial_pkey, ADD PRIMARY KEY (id, tenant_id)",
            Some("trial: primary key trial_pkey does not begin with tenant_id"),
        ),
        ("ALTER TABLE trial DROP CONSTRAINT trial_pkey", Some("trial: has no primary key")),
        ("GRANT SELECT ON trial TO PUBLIC", Some("trial: SELECT is granted to PUBLIC")),
        ("GRANT TRUNCATE ON trial TO ringtill_tenant", Some("trial: TRUNCATE is granted to ringtill_tenant")),
        ("GRANT INSERT ON trial TO ringtill_platform", Some("trial: INSERT is granted to ringtill_platform")),
        ("GRANT UPDATE (id) ON trial TO ringtill_platform", Some("trial: UPDATE of id is granted to ringtill_platform")),
        ("REVOKE UPDATE ON trial FROM ringtill_tenant", Some("trial: only grows, but is not on the list of tables that do")),
        ("GRANT UPDATE ON document TO ringtill_tenant", Some("document: UPDATE is granted to ringtill_tenant")),
        ("GRANT DELETE ON ledger_entry TO ringtill_tenant", Some("ledger_entry: DELETE is granted to ringtill_tenant")),
        ("GRANT SELECT ON usage_event_else TO ringtill_tenant", Some("usage_event_else: SELECT is granted to ringtill_tenant")),
        ("CREATE TABLE stray (id uuid)", Some("stray: has no tenant_id and is not on the list of global tables")),
        ("CREATE POLICY all_of_it ON person FOR SELECT TO ringtill_tenant USING (true)", Some("person: policy all_of_it shows or lets a tenant write more than its own")),
        ("GRANT INSERT ON organisation TO ringtill_tenant", Some("organisation: INSERT is granted to ringtill_tenant")),
        ("CREATE VIEW everything AS SELECT * FROM trial", Some("everything: a view without security_invoker shows what its owner sees")),
        ("CREATE VIEW mine WITH (security_invoker = true) AS SELECT * FROM trial", None),
        ("CREATE MATERIALIZED VIEW kept AS SELECT * FROM trial", Some("kept: a materialized view has no policies")),
        (
            "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT 1';
             REVOKE ALL ON FUNCTION sneak() FROM PUBLIC",
            Some("sneak: a SECURITY DEFINER function that is not on the list"),
        ),
        (
            "ALTER FUNCTION ensure_usage_partitions(date, int) RESET search_path",
            Some("ensure_usage_partitions: a SECURITY DEFINER function without a fixed search_path that ends with pg_temp"),
        ),
        (
            "GRANT EXECUTE ON FUNCTION ensure_usage_partitions(date, int) TO PUBLIC",
            Some("ensure_usage_partitions: a SECURITY DEFINER function that everybody may call"),
        ),
        ("ALTER TABLE trial OWNER TO ringtill_tenant", Some("ringtill_tenant: owns a table")),
        ("ALTER ROLE ringtill_tenant BYPASSRLS", Some("ringtill_tenant: bypasses policies")),
        ("ALTER ROLE ringtill_platform SUPERUSER", Some("ringtill_platform: is a superuser")),
        ("GRANT ringtill_platform TO ringtill_tenant", Some("ringtill_tenant: is a member of another role")),
        ("GRANT CREATE ON SCHEMA public TO ringtill_tenant", Some("ringtill_tenant: may create in the schema")),
    ] {
        let mut owner = connect(&test.owner).await;
        // Never committed: roles belong to the whole server, and the other tests are on it.
        let script = format!("BEGIN; {GOOD} {breaks};");
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut owner).await.unwrap();
        let found = violations(&read(&mut owner).await);
        close(owner).await;
        match expected {
            None => assert_eq!(found, Vec::<String>::new(), "{breaks}"),
            Some(expected) => assert!(found.iter().any(|line| line == expected), "{breaks}\nfound: {found:#?}"),
        }
    }
}
