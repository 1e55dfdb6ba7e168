//! Calls out: an agent's softphone (baresip) dials, carriers (sipp) take it or do not, and every book is charged for what was talked.

use super::{ADMIN, audit_holds, free_port, link_named};
use call_control::{CallDetail, OutgoingFilter, OutgoingView};
use db::{CallId, TenantId};
use manual::{Finished, Guest, Program, Softphone, find_program, run_peer};
use money::{Currency, Money};
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

const AGENT: &str = "lena@nordlicht.example";
const OPERATOR: &str = "ops@ringtill.example";
/// As it is dialled in Germany; and as the carrier hears it.
const MOBILE: &str = "01512345678";
const IRIDIUM: &str = "00881612345678";
/// Jonas Weber's.
const CUSTOMER: &str = "K-3001";
/// Germany mobile, a second, in micros: 0.0768 a minute is what Nordlicht sells (tax included), 0.0384 what the operator sells,
/// 0.0210 and 0.0240 what Atlantic and Nordsee ask.
const SOLD: i64 = 1_280;
const BOUGHT: i64 = 640;
const ATLANTIC: i64 = 350;
const NORDSEE: i64 = 400;

/// A carrier's switch for one call, on a port of its own.
fn carrier(scenario: &str) -> (String, JoinHandle<Finished>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("calls").join(scenario);
    let port = free_port();
    let mut tester = Command::new(find_program("sipp"));
    tester.arg("-sf").arg(file).args(["-m", "1", "-t", "u1", "-i", "127.0.0.1", "-nostdin", "-rtp_echo"]);
    tester.args(["-p", &port, "-mp", &free_port(), "-timeout", "90"]).env("TERM", "dumb");
    tester.current_dir(std::env::temp_dir());
    let run = std::thread::spawn(move || run_peer(&tester, Duration::from_secs(100)));
    (port, run)
}

/// Says on the operator's page where a carrier takes calls.
async fn takes_calls_at(operator: &Guest, carrier: &str, port: &str, login: Option<(&str, &str)>) {
    let page = link_named(&operator.get("/ops/carriers").await, carrier);
    let (user, password) = login.unwrap_or_default();
    let fields = [
        ("sip_host", "127.0.0.1"),
        ("sip_port", port),
        ("sip_transport", "udp"),
        ("sip_username", user),
        ("sip_password", password),
        ("shown_as", "asserted"),
    ];
    let saved = operator.post(&format!("{page}/trunk"), &fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
    assert!(password.is_empty() || !operator.get(&page).await.text().contains(password), "the password stays hidden");
}

/// The agent's phone, with the password that her desk shows once.
async fn phone(program: &Program) -> Softphone {
    let agent = Guest::signed_in(program, AGENT).await;
    let desk = agent.post("/agent/phone/password", &[]).await.text();
    let after = desk.split_once("id=\"phone-password\">").unwrap_or_else(|| panic!("a password is shown:\n{desk}")).1;
    let password = after.split('<').next().unwrap_or_default().to_owned();
    let sip = program.sip.clone();
    let started = tokio::task::spawn_blocking(move || Softphone::registered(&sip, "lena.nordlicht", &password, 1000.0));
    started.await.expect("the phone starts")
}

/// Nordlicht lets its agents dial, and this customer pays.
async fn agents_dial_for(admin: &Guest, customer: &str) {
    let page = admin.get("/admin/outgoing").await.text();
    let numbers = page.split_once("name=\"line_number\"").expect("the form has numbers").1;
    let number = numbers.split_once("<option value=\"").and_then(|(_, rest)| rest.split('"').next()).expect("a number");
    let number = number.to_owned();
    let fields = [("form", "line"), ("line_customer", customer), ("line_number", &number), ("line_country", "49")];
    let saved = admin.post("/admin/outgoing/line", &fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
}

async fn book(program: &Program, slug: &str) -> TenantId {
    let ptx = program.database.db.platform(db::PlatformReason::Provision).await.expect("the database answers");
    let found = tenant::organisations(&ptx).await.expect("it can be read");
    found.into_iter().find(|organisation| organisation.slug == slug).expect("the demo has it").id
}

/// The newest call out of a book, once it is over.
async fn over(program: &Program, book: TenantId, before: &[CallId]) -> OutgoingView {
    let filter = OutgoingFilter { limit: 20, ..OutgoingFilter::default() };
    for _ in 0..150 {
        let tx = program.database.db.tenant(book).await.expect("the database answers");
        let calls = call_control::outgoing_calls(&tx, &filter).await.expect("it can be read");
        let found = calls.into_iter().find(|call| !before.contains(&call.call_id) && call.charge.is_some());
        if let Some(found) = found {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("no call out is over")
}

async fn known(program: &Program, book: TenantId) -> Vec<CallId> {
    let tx = program.database.db.tenant(book).await.expect("the database answers");
    let filter = OutgoingFilter { limit: 1000, ..OutgoingFilter::default() };
    let calls = call_control::outgoing_calls(&tx, &filter).await.expect("it can be read");
    calls.into_iter().map(|call| call.call_id).collect()
}

async fn detail(program: &Program, book: TenantId, id: CallId) -> CallDetail {
    let tx = program.database.db.tenant(book).await.expect("the database answers");
    call_control::call(&tx, id).await.expect("it can be read")
}

fn micros(micros: i64) -> Option<Money> {
    Some(Money::from_micros(micros, Currency::EUR))
}

/// Waits on a thread of its own until the phone says this.
async fn says(mut phone: Softphone, word: &'static str) -> (Softphone, String) {
    let waiting = tokio::task::spawn_blocking(move || {
        let told = phone.says(word);
        (phone, told)
    });
    waiting.await.expect("the phone speaks")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_dials_out_hears_who_is_called_and_every_book_is_charged_for_the_seconds() {
    let program = Program::on_the_demo_world().await;
    let (admin, operator) = (Guest::signed_in(&program, ADMIN).await, Guest::signed_in(&program, OPERATOR).await);
    let jonas = link_named(&admin.get("/admin/customers").await, "Jonas Weber");
    let top_up = [("amount", "20.00"), ("kind", "bank_transfer"), ("reference", "before the call")];
    assert_eq!(admin.post(&format!("{jonas}/payments"), &top_up).await.status, 303);
    let mut phone = phone(&program).await;
    let edge = program.sip.clone();

    // Nobody is said to pay: no call.
    phone.dial(&format!("sip:{MOBILE}@{edge}"));
    let (mut phone, told) = says(phone, "CALL_CLOSED").await;
    assert!(told.contains("403"), "{told}");
    agents_dial_for(&admin, CUSTOMER).await;
    let (port, switch) = carrier("carrier.xml");
    takes_calls_at(&operator, "Atlantic Voice", &port, None).await;

    // Satellite phones are closed until somebody opens them; the page of calls out tells that it was tried.
    phone.dial(&format!("sip:{IRIDIUM}@{edge}"));
    let (mut phone, told) = says(phone, "CALL_CLOSED").await;
    assert!(told.contains("403"), "{told}");
    admin.page_that_says("/admin/outgoing", "are closed for Jonas Weber").await;

    let (nordlicht, house) = (book(&program, "nordlicht").await, book(&program, "ringtill").await);
    let before = [known(&program, nordlicht).await, known(&program, house).await];
    phone.dial(&format!("sip:{MOBILE}@{edge}"));
    let (phone, _) = says(phone, "CALL_ESTABLISHED").await;
    // The board shows it while it runs.
    admin.page_that_says("/admin/live", &format!("calls {}", ringtill::format::phone("+491512345678"))).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut phone = phone;
    phone.hang_up();
    let own = over(&program, nordlicht, &before[0]).await;
    let call = detail(&program, nordlicht, own.call_id).await;
    let seconds = i64::from(call.call.metered_seconds);
    assert!((3..=20).contains(&seconds), "{seconds} s");
    assert_eq!(own.charge, micros(SOLD * seconds));
    assert_eq!((call.call.charge, call.recount), (micros(SOLD * seconds), micros(SOLD * seconds)));
    assert_eq!(call.call.end_cause.as_deref(), Some("caller_hung_up"));
    let sold = over(&program, house, &before[1]).await;
    assert_eq!(
        (sold.call_id, sold.charge, sold.cost),
        (own.call_id, micros(BOUGHT * seconds), micros(ATLANTIC * seconds))
    );
    let page = admin.get(&format!("/admin/calls/{}", own.call_id)).await.text();
    for words in ["lena.nordlicht dials", "A carrier is rung", "The meter starts", "same result"] {
        assert!(page.contains(words), "{words}:\n{page}");
    }
    let finished = switch.join().expect("the carrier's thread ends");
    assert!(finished.success, "{}", finished.output);
    // The carrier says back what it hears: the phone's own tone came the whole way there and back.
    let heard = tokio::task::spawn_blocking(move || phone.heard_seconds_of(1000.0)).await.expect("the phone ends");
    assert!(heard > 1.5, "{heard} s");
    audit_holds(&program);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_carrier_is_followed_by_one_that_asks_for_a_password_and_the_call_is_cut_where_the_money_ends() {
    let program = Program::on_the_demo_world().await;
    let (admin, operator) = (Guest::signed_in(&program, ADMIN).await, Guest::signed_in(&program, OPERATOR).await);
    let nordlicht = book(&program, "nordlicht").await;
    // Five seconds: 5 x 0.00128.
    let tx = program.database.db.tenant(nordlicht).await.expect("the database answers");
    let today = chrono::DateTime::from_timestamp(1_790_000_000, 0).expect("an instant");
    let new = subscription::NewCustomer::prepaid(
        "K-9001",
        "Short Money",
        Currency::EUR,
        "Europe/Berlin",
        "DE",
        today.date_naive(),
    );
    let customer = subscription::create_customer(&tx, &new, today).await.expect("a customer");
    let five_seconds = Money::from_micros(5 * SOLD, Currency::EUR);
    ledger::top_up(&tx, customer, five_seconds, "short", "Top-up", today, today).await.expect("a top-up");
    tx.commit().await.expect("it is written");
    agents_dial_for(&admin, "K-9001").await;
    let (full, busy_switch) = carrier("carrier_full.xml");
    takes_calls_at(&operator, "Atlantic Voice", &full, None).await;
    let (asks, switch) = carrier("carrier_login.xml");
    takes_calls_at(&operator, "Nordsee Carrier", &asks, Some(("ringtill", "over-the-sea"))).await;

    let house = book(&program, "ringtill").await;
    let before = [known(&program, nordlicht).await, known(&program, house).await];
    let mut phone = phone(&program).await;
    phone.dial(&format!("sip:{MOBILE}@{}", program.sip));
    let (phone, _) = says(phone, "CALL_ESTABLISHED").await;
    let (_phone, _) = says(phone, "CALL_CLOSED").await;
    let own = over(&program, nordlicht, &before[0]).await;
    let call = detail(&program, nordlicht, own.call_id).await;
    assert_eq!((call.call.metered_seconds, call.call.charge), (5, Some(five_seconds)));
    assert_eq!(call.call.end_cause.as_deref(), Some("balance_exhausted"));
    let rung = call.events.iter().filter(|event| event.kind == "carrier_ringing").count();
    assert_eq!(rung, 2, "the full one, then the other");
    let sold = over(&program, house, &before[1]).await;
    assert_eq!((sold.charge, sold.cost), (micros(BOUGHT * 5), micros(NORDSEE * 5)));
    let tx = program.database.db.tenant(nordlicht).await.expect("the database answers");
    let wallet = ledger::wallet_of(&tx, customer).await.expect("it can be read").expect("a wallet");
    assert!(wallet.balance.is_zero() && wallet.available().expect("a sum").is_zero(), "{wallet:?}");
    drop(tx);
    for (name, run) in [("full", busy_switch), ("asks", switch)] {
        let finished = run.join().expect("the carrier's thread ends");
        assert!(finished.success, "{name}: {}", finished.output);
    }
    assert!(!program.log().contains("over-the-sea"), "no password in the log");
    audit_holds(&program);
}
