//! Nobody sees what is not theirs: every address of the roof is tried by everybody who has no business there, with the ids of
//! rows that exist in somebody else's book. The answer is "not found", or the sign-in page for who is not signed in.

mod api;
mod api_routes;
mod every_route;

use every_route::{For, all};
use manual::{Answer, Guest, Program};
use ringtill::pages::{Who, table};
use ringtill::urls::Audience;
use std::collections::{BTreeMap, BTreeSet};

/// Who tries, and what their own pages are.
const ROLES: [(&str, &str, For); 7] = [
    ("the operator", "ops@ringtill.example", For::Operator),
    ("the reseller", "admin@voxhouse.example", For::Reseller),
    ("Nordlicht's admin", "admin@nordlicht.example", For::Tenant),
    ("Brightline's admin", "admin@brightline.example", For::Tenant),
    ("an agent of Nordlicht", "lena@nordlicht.example", For::Agent),
    ("an agent of Brightline", "ciara@brightline.example", For::Agent),
    ("a customer of Nordlicht", "jonas.weber@post.example", For::Customer),
];
/// Every form's fields at once, so that a refusal is never about the form.
const FIELDS: [(&str, &str); 8] = [
    ("amount", "1.00"),
    ("kind", "bank_transfer"),
    ("reference", "a stranger"),
    ("idempotency_key", "a stranger"),
    ("period", "2020-01-01"),
    ("state", "ready"),
    ("reason", ""),
    ("theme", "dark"),
];

/// Ids of one book, by the name that stands in the paths.
type Ids = BTreeMap<&'static str, String>;

fn whom(who: Who) -> For {
    match who {
        Who::Anybody => For::Anybody,
        Who::SignedIn => For::SignedIn,
        Who::Book(Audience::Operator) => For::Operator,
        Who::Book(Audience::Reseller) => For::Reseller,
        Who::Book(Audience::Tenant) => For::Tenant,
        Who::Agent => For::Agent,
        Who::Customer => For::Customer,
        Who::Phone => For::Phone,
    }
}

#[test]
fn the_routes_tried_here_are_all_the_routes_there_are() {
    let served: BTreeSet<_> =
        table().into_iter().map(|entry| (entry.method.to_string(), entry.path, whom(entry.who))).collect();
    let tried = all();
    let untried: Vec<_> = served.difference(&tried).collect();
    let gone: Vec<_> = tried.difference(&served).collect();
    assert!(untried.is_empty() && gone.is_empty(), "not tried: {untried:#?}\nnot served: {gone:#?}");
}

/// Reads ids off the pages of a book: its own member sees them all.
async fn ids_of(guest: &Guest, prefix: &str) -> Ids {
    let mut ids = Ids::new();
    for (name, page) in [
        ("customer_id", "customers"),
        ("plan_id", "plans"),
        ("document_id", "invoices"),
        ("run_id", "runs"),
        ("call_id", "calls"),
        ("import_id", "imports"),
    ] {
        let start = format!("{prefix}/{page}/");
        let links = guest.get(&format!("{prefix}/{page}")).await.links(&start);
        if let Some(link) = links.into_iter().find(|link| !link.ends_with("/new")) {
            ids.insert(name, link[start.len()..].to_owned());
        }
    }
    if let Some(document) = ids.get("document_id") {
        let page = guest.get(&format!("{prefix}/invoices/{document}")).await.text();
        let line = page.split_once("id=\"line-").expect("an invoice has lines").1;
        ids.insert("line_id", line.split('"').next().unwrap_or_default().to_owned());
    }
    let coupon = [
        ("code", "STRANGER"),
        ("name", "A stranger"),
        ("kind", "percent"),
        ("off", "10"),
        ("periods", "1"),
        ("redemptions_max", "1"),
        ("valid_until", ""),
    ];
    let created = guest.post(&format!("{prefix}/coupons"), &coupon).await;
    assert_eq!(created.status, 303, "a coupon is created: {}", created.text());
    ids.insert("coupon_id", created.location[prefix.len() + "/coupons/".len()..].to_owned());
    ids.extend(subscription_ids(guest, prefix).await);
    // The demo world keeps no draft open: an id of nobody's, of the right kind.
    ids.insert("draft_id", db::DraftId::new().to_string());
    if prefix != "/admin" {
        let start = format!("{prefix}/settlements/");
        let link = guest.get(&format!("{prefix}/settlements")).await.links(&start).into_iter().next();
        ids.insert("settlement_id", link.expect("a seller owes its partners")[start.len()..].to_owned());
    }
    if prefix != "/reseller" {
        let page = guest.get(&format!("{prefix}/numbers")).await.text();
        let mark = format!("href=\"{prefix}/numbers/num_");
        let (_, link) = page.split_once(&mark).expect("the operator sells numbers, and a centre has some");
        ids.insert("number_id", format!("num_{}", link.split(['/', '"']).next().unwrap_or_default()));
    }
    ids
}

/// A subscription of this book and a change of it that can be undone.
async fn subscription_ids(guest: &Guest, prefix: &str) -> Ids {
    let mut ids = Ids::new();
    let start = format!("{prefix}/customers/");
    for link in guest.get(&format!("{prefix}/customers")).await.links(&start) {
        let page = guest.get(&link).await.text();
        let after =
            |mark: &str| page.split_once(mark).and_then(|(_, rest)| rest.split(['/', '"']).next()).map(str::to_owned);
        let Some(subscription) = after(&format!("{prefix}/subscriptions/")) else { continue };
        if let Some(change) = after(&format!("{prefix}/subscriptions/{subscription}/changes/")) {
            ids.insert("change_id", change);
            ids.insert("subscription_id", subscription);
            break;
        }
        ids.entry("subscription_id").or_insert(subscription);
    }
    // No change of a centre's customers is open in the demo world: an id of nobody's, of the right kind.
    ids.entry("change_id").or_insert_with(|| db::ChangeId::new().to_string());
    ids
}

/// The path with these ids; what is no id gets a word that fits nothing. `None`: the book has no row of that kind.
fn filled(path: &str, ids: &Ids) -> Option<String> {
    let mut full = String::new();
    for (index, part) in path.split(['{', '}']).enumerate() {
        match (index % 2 == 1, part) {
            (false, plain) => full += plain,
            (true, "account") => full += "no_such_account",
            (true, "cause") => full += "no_such_cause",
            (true, "digit") => full += "1",
            (true, "hash" | "print" | "path:.*") => full += "0000",
            (true, name) => full += ids.get(name)?,
        }
    }
    Some(full)
}

async fn try_it(guest: &Guest, method: &str, path: &str) -> Answer {
    match method {
        "GET" => guest.get(path).await,
        _ => guest.post(path, &FIELDS).await,
    }
}

struct World {
    program: Program,
    guests: Vec<(&'static str, For, Guest)>,
    /// The rows of each book, by who keeps it.
    books: Vec<(&'static str, Ids)>,
}

async fn world() -> World {
    let program = Program::on_the_demo_world().await;
    let (mut guests, mut books) = (Vec::new(), Vec::new());
    for (name, email, own) in ROLES {
        let guest = Guest::signed_in(&program, email).await;
        let prefix = match own {
            For::Operator => Some("/ops"),
            For::Reseller => Some("/reseller"),
            For::Tenant => Some("/admin"),
            _ => None,
        };
        if let Some(prefix) = prefix {
            books.push((name, ids_of(&guest, prefix).await));
        }
        guests.push((name, own, guest));
    }
    let kinds: BTreeSet<_> = books.iter().flat_map(|(_, ids)| ids.keys()).collect();
    assert_eq!(kinds.len(), 13, "the demo world has rows of every kind: {kinds:?}");
    World { program, guests, books }
}

/// Could the row be theirs after all? Their own organisation's, an invoice that their seller wrote to them, or a number, which
/// is in the book of who has it and in that of who sells it.
fn is_theirs(name: &str, keeper: &str, path: &str) -> bool {
    let books = ["operator", "reseller", "Nordlicht", "Brightline"];
    let is_same_book = books.iter().any(|book| name.contains(book) && keeper.contains(book));
    let sellers = ["the operator", "the reseller"];
    let is_of_both = path.contains("/numbers/{number_id}") && (sellers.contains(&keeper) || sellers.contains(&name));
    is_same_book || is_of_both || (path.contains("/account/") && sellers.contains(&keeper))
}

#[tokio::test]
async fn nobody_but_its_own_people_can_open_a_page() {
    let world = world().await;
    let (mut broken, mut tried) = (Vec::new(), BTreeSet::new());
    for (method, path, whose) in all() {
        if matches!(whose, For::Anybody | For::SignedIn | For::Phone) {
            continue;
        }
        for (name, own, guest) in &world.guests {
            for (keeper, ids) in &world.books {
                let Some(there) = filled(&path, ids) else { continue };
                let is_own = *own == whose && (there == path || is_theirs(name, keeper, &path));
                // An address without ids is the same in every book.
                if is_own || !tried.insert((*name, method.clone(), there.clone())) {
                    continue;
                }
                let answer = try_it(guest, &method, &there).await;
                if answer.status != 404 {
                    broken.push(format!("{name}, {method} {there} of {keeper}: {}", answer.status));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} answers that are not 404:\n{}", broken.len(), broken.join("\n"));
}

#[tokio::test]
async fn its_own_people_open_every_page_of_theirs() {
    let world = world().await;
    let mut broken = Vec::new();
    for (method, path, whose) in all() {
        // Streams have no end; what changes something has tests of its own.
        let is_page =
            method == "GET" && !path.ends_with("/events") && !path.contains("{account}") && !path.contains("{cause}");
        for (name, own, guest) in world.guests.iter().filter(|(_, own, _)| is_page && *own == whose) {
            let none = Ids::new();
            let ids = world.books.iter().find(|(keeper, _)| keeper == name).map_or(&none, |(_, ids)| ids);
            // A plan without a draft has nothing to review.
            let is_elsewhere = path.ends_with("/draft/review")
                || path.ends_with("/reversal")
                || path.contains("{draft_id}")
                || path.contains("/account/")
                // The newest statement is a draft, and has no paper.
                || path.ends_with("{settlement_id}/pdf");
            let Some(own_path) = filled(&path, ids).filter(|_| !is_elsewhere) else { continue };
            let answer = guest.get(&own_path).await;
            if answer.status != 200 {
                broken.push(format!("{name}, {own:?}: {own_path}: {}", answer.status));
            }
        }
    }
    assert!(broken.is_empty(), "{} pages that are not there:\n{}", broken.len(), broken.join("\n"));
}

#[tokio::test]
async fn a_payee_opens_the_statements_that_were_issued_to_it_and_no_other() {
    let world = world().await;
    let who = |name: &str| &world.guests.iter().find(|(known, ..)| *known == name).expect("it is signed in").2;
    let links = async |name: &str, page: &str| -> BTreeSet<String> {
        let start = format!("{page}/");
        let links = who(name).get(page).await.links(&start);
        links.into_iter().map(|link| link[start.len()..].to_owned()).filter(|id| !id.contains('/')).collect()
    };
    let written: BTreeSet<String> =
        &links("the operator", "/ops/settlements").await | &links("the reseller", "/reseller/settlements").await;
    let mut received = BTreeSet::new();
    for (name, prefix) in [
        ("the reseller", "/reseller/account/settlements"),
        ("Nordlicht's admin", "/admin/account/settlements"),
        ("Brightline's admin", "/admin/account/settlements"),
    ] {
        let own = links(name, prefix).await;
        assert!(!own.is_empty() && own.is_subset(&written), "{name} has statements of its seller: {own:?}");
        assert!(own.is_disjoint(&received), "{name} sees what was issued to another: {own:?}");
        for id in &written {
            for page in ["", "/pdf", "/csv"] {
                let status = who(name).get(&format!("{prefix}/{id}{page}")).await.status;
                let right = if own.contains(id) { 200 } else { 404 };
                assert_eq!(status, right, "{name}: {prefix}/{id}{page}");
            }
        }
        received.extend(own);
    }
    // A draft is the seller's alone.
    assert!(received.len() < written.len(), "the operator has yet to issue one");
}

#[tokio::test]
async fn who_is_not_signed_in_is_sent_to_the_sign_in_page() {
    let world = world().await;
    let nobody = Guest::at(&world.program, "localhost");
    let mut broken = Vec::new();
    for (method, path, whose) in all() {
        for (keeper, ids) in &world.books {
            let Some(there) = filled(&path, ids) else { continue };
            let answer = try_it(&nobody, &method, &there).await;
            let is_right = match whose {
                For::Anybody => answer.status < 500,
                For::Phone => answer.status == 401,
                _ => answer.status == 303 && answer.location.starts_with("/sign-in"),
            };
            if !is_right {
                broken.push(format!("{method} {there} of {keeper}: {} {}", answer.status, answer.location));
            }
        }
    }
    assert!(broken.is_empty(), "{} answers to nobody:\n{}", broken.len(), broken.join("\n"));
}

#[tokio::test]
async fn a_customer_sees_neither_the_calls_nor_the_invoices_of_another() {
    let world = world().await;
    let guest =
        |wanted: &str| &world.guests.iter().find(|(name, ..)| *name == wanted).expect("somebody of that name").2;
    let (admin, jonas) = (guest("Nordlicht's admin"), guest("a customer of Nordlicht"));
    let own = jonas.get("/portal/calls").await.links("/portal/calls/");
    assert!(!own.is_empty(), "Jonas has calls");
    assert_eq!(jonas.get(&own[0]).await.status, 200);
    let mut tried = 0;
    for (there, here) in [("/admin/calls/", "/portal/calls/"), ("/admin/invoices/", "/portal/invoices/")] {
        let list = here.trim_end_matches('/');
        let own = jonas.get(list).await.links(here);
        for link in admin.get(there.trim_end_matches('/')).await.links(there) {
            let path = link.replace(there, here);
            if own.contains(&path) || jonas_has(admin, &link).await {
                continue;
            }
            for path in [path.clone(), format!("{path}/pdf")] {
                assert_eq!(jonas.get(&path).await.status, 404, "{path}");
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried} rows of other customers were tried");
}

#[tokio::test]
async fn an_invoice_from_a_seller_is_open_to_the_one_it_is_for() {
    let world = world().await;
    let guest =
        |wanted: &str| &world.guests.iter().find(|(name, ..)| *name == wanted).expect("somebody of that name").2;
    let (operator, reseller) = (guest("the operator"), guest("the reseller"));
    let nordlicht = guest("Nordlicht's admin");
    let invoices = operator.get("/ops/invoices").await.links("/ops/invoices/");
    assert!(invoices.len() > 1, "the operator bills both below");
    for invoice in invoices {
        let own = invoice.replace("/ops/", "/account/");
        let is_nordlichts = operator.get(&invoice).await.text().contains("Nordlicht Beratung");
        let expected = if is_nordlichts { [404, 200] } else { [200, 404] };
        for end in ["", "/pdf"] {
            let seen = [
                reseller.get(&format!("/reseller{own}{end}")).await.status,
                nordlicht.get(&format!("/admin{own}{end}")).await.status,
            ];
            assert_eq!(seen, expected, "{invoice}{end} at the reseller and at Nordlicht");
        }
    }
}

/// Is it his, although his own list's first page does not show it?
async fn jonas_has(admin: &Guest, link: &str) -> bool {
    admin.get(link).await.text().contains("Jonas Weber")
}

#[tokio::test]
async fn a_form_without_the_sessions_token_or_from_elsewhere_changes_nothing() {
    let program = Program::on_the_demo_world().await;
    let admin = Guest::signed_in(&program, "admin@nordlicht.example").await;
    let forgotten = admin.without_its_token();
    let customers = admin.get("/admin/customers").await.links("/admin/customers/");
    let payments = format!("{}/payments", customers.first().expect("Nordlicht has customers"));
    for path in [payments.as_str(), "/admin/runs", "/sign-out"] {
        assert_eq!(forgotten.post(path, &FIELDS).await.status, 403, "{path} without a token");
        assert_eq!(admin.post_from_elsewhere(path, &FIELDS).await.status, 403, "{path} from elsewhere");
    }
    assert_eq!(admin.get("/admin").await.status, 200, "the session goes on");
}
