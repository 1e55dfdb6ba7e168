//! The pages, in a real browser: each audience's way through the demo world, on a desk and on a telephone, by day and by
//! night. Pictures of what was seen are left in `tests/screenshots`.

use manual::{Finished, Program, find_program, run_peer};
use ringtill::demo::{PASSWORD, VOXHOUSE_HOST, logins};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A list, and `/*` for the first that it links to.
const TENANT_PATHS: [&str; 40] = [
    "/admin",
    "/admin/live",
    "/admin/calls",
    "/admin/calls/*",
    "/admin/usage",
    "/admin/usage?meter=calls&customer=jonas",
    "/admin/customers",
    "/admin/customers/*",
    "/admin/customers/*/advice",
    "/admin/customers/*/next-bill",
    "/admin/customers/*/subscriptions/new",
    "/admin/customers/*/payments?amount=25.00",
    "/admin/customers/*/wallet",
    "/admin/coupons",
    "/admin/coupons/new",
    "/admin/settings/brand",
    "/admin/settings/api-keys",
    "/admin/plans",
    "/admin/plans/*",
    "/admin/plans/new",
    "/admin/plans/*/draft",
    "/admin/plans/*/moves",
    "/admin/numbers",
    "/admin/numbers/*",
    "/admin/tariffs/new",
    "/admin/tariffs/new?sent=yes&name=Advice&connection=5&rate=0.50&per=minute&after=20&rate_after=0.25&increment=6",
    "/admin/agents",
    "/admin/invoices",
    "/admin/invoices/*",
    "/admin/runs",
    "/admin/runs/*",
    "/admin/ledger",
    "/admin/ledger/entries?account=revenue",
    "/admin/imports",
    "/admin/imports/*",
    "/admin/imports/new",
    "/admin/suspense",
    "/admin/account",
    "/admin/account/settlements",
    "/admin/account/settlements/*",
];
const OPERATOR_PATHS: [&str; 23] = [
    "/ops",
    "/ops/usage",
    "/ops/customers",
    "/ops/customers/*",
    "/ops/customers/*/split",
    "/ops/coupons",
    "/ops/coupons/*",
    "/ops/plans",
    "/ops/plans/*",
    "/ops/invoices",
    "/ops/runs",
    "/ops/runs/*",
    "/ops/ledger",
    "/ops/numbers",
    "/ops/numbers/new",
    "/ops/settlements",
    "/ops/settlements/*",
    "/ops/decks",
    "/ops/decks/*",
    "/ops/decks/new",
    "/ops/carriers",
    "/ops/carriers/new",
    "/ops/outgoing",
];
const RESELLER_PATHS: [&str; 14] = [
    "/reseller",
    "/reseller/usage",
    "/reseller/customers",
    "/reseller/customers/*",
    "/reseller/plans",
    "/reseller/plans/*",
    "/reseller/invoices",
    "/reseller/runs",
    "/reseller/account",
    "/reseller/account/settlements",
    "/reseller/account/settlements/*",
    "/reseller/settlements",
    "/reseller/settlements/*",
    "/reseller/settings/brand",
];
const CUSTOMER_PATHS: [&str; 8] = [
    "/portal",
    "/portal/calls",
    "/portal/calls/*",
    "/portal/invoices",
    "/portal/invoices/*",
    "/portal/plan",
    "/portal/payment",
    "/portal/prices",
];

/// Runs a script of this folder with node; `environment` is what it reads.
fn run_script(name: &str, environment: &[(&str, &str)]) -> Finished {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    assert!(
        folder.with_file_name("node_modules").is_dir(),
        "the browser tests' packages are not installed: `make test` does it, or `npm ci` in tests"
    );
    let mut node = Command::new(find_program("node"));
    node.arg(folder.join(name)).current_dir(&folder).envs(environment.iter().copied());
    run_peer(&node, Duration::from_secs(540))
}

/// One audience as the scripts read it, by the start of its login's path and its host.
fn audience(program: &Program, start: &str, looks: u8, paths: &[&str]) -> serde_json::Value {
    let login = logins().into_iter().find(|login| login.path == start).expect("the demo world has such a login");
    serde_json::json!({
        "name": login.audience.to_lowercase().replace(' ', "-"),
        "origin": program.origin(if login.on_voxhouse { VOXHOUSE_HOST } else { "localhost" }),
        "email": login.email,
        "password": PASSWORD,
        "start": start,
        "looks": looks,
        "paths": paths,
    })
}

/// Pages that nobody needs to sign in for.
fn nobody(program: &Program) -> serde_json::Value {
    serde_json::json!({
        "name": "anybody",
        "origin": program.origin("localhost"),
        "looks": 4,
        "paths": ["/estimate", "/estimate?empty=yes", "/roi", "/roi?days=32"],
    })
}

fn walk(script: &str, audiences: &[serde_json::Value]) {
    let run = run_script(script, &[("RINGTILL_WALK", &serde_json::Value::from(audiences.to_vec()).to_string())]);
    assert!(run.success, "{}", run.output);
}

#[test]
fn the_browser_harness_sees_every_kind_of_fault() {
    let run = run_script("harness.test.mjs", &[]);
    assert!(run.success, "{}", run.output);
}

#[tokio::test]
async fn a_call_centres_pages_have_no_fault_in_any_look() {
    let program = Program::on_the_demo_world().await;
    walk("walk.mjs", &[audience(&program, "/admin", 4, &TENANT_PATHS)]);
}

#[tokio::test]
async fn a_customers_pages_have_no_fault_in_any_look_nor_has_the_agents_desk() {
    let program = Program::on_the_demo_world().await;
    let desk = audience(&program, "/agent", 2, &["/agent"]);
    walk("walk.mjs", &[audience(&program, "/portal", 4, &CUSTOMER_PATHS), desk, nobody(&program)]);
}

#[tokio::test]
async fn the_operators_and_the_resellers_pages_have_no_fault() {
    let program = Program::on_the_demo_world().await;
    let reseller = audience(&program, "/reseller", 2, &RESELLER_PATHS);
    walk("walk.mjs", &[audience(&program, "/ops", 2, &OPERATOR_PATHS), reseller]);
}

#[tokio::test]
async fn an_invoice_leads_to_the_calls_that_it_charges_and_every_figure_is_the_same() {
    let program = Program::on_the_demo_world().await;
    walk("figures.mjs", &[audience(&program, "/admin", 1, &[])]);
}

#[tokio::test]
async fn an_add_on_is_previewed_confirmed_billed_as_previewed_and_undone() {
    let program = Program::on_the_demo_world().await;
    walk("commerce.mjs", &[audience(&program, "/ops", 4, &[])]);
}

#[tokio::test]
async fn a_plan_changes_under_its_customers_with_warnings_and_a_way_back() {
    let program = Program::on_the_demo_world().await;
    walk("plans.mjs", &[audience(&program, "/admin", 4, &[])]);
}

#[tokio::test]
async fn a_quote_is_accepted_by_its_link_and_every_figure_is_the_same() {
    let program = Program::on_the_demo_world().await;
    walk("quotes.mjs", &[audience(&program, "/admin", 1, &[])]);
}

#[tokio::test]
async fn everybody_else_clicks_through_and_every_figure_is_the_same() {
    let program = Program::on_the_demo_world().await;
    let named = |name: &str, start: &str| {
        let mut person = audience(&program, start, 1, &[]);
        person["name"] = name.into();
        person
    };
    let people = [("customer", "/portal"), ("agent", "/agent"), ("operator", "/ops"), ("reseller", "/reseller")];
    walk("paths.mjs", &people.map(|(name, start)| named(name, start)));
}
