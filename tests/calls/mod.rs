//! Real calls: sipp, which shares no code with the product, calls the running program; what came of it is then read on the
//! pages, as the call centre reads it. The scenarios are the XML files of this folder. Sending sound needs root.

use call_control::Control;
use jiff::civil::Weekday;
use manual::{Answer, Finished, Guest, Program, demo_database, find_program, run_peer};
use ringtill::clock::Clock;
use ringtill::demo::{JONAS_PHONE, NORDLICHT_ADVICE, NORDLICHT_SUPPORT};
use sip_media::{Edge, EdgeConfig};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const ADMIN: &str = "admin@nordlicht.example";
/// Kanzlei Brömmel: pays by invoice, is on no plan, so every call is charged by its tariff.
const LAWYER_PHONE: &str = "+493088721540";
/// A number of the right form that no organisation has.
const NOBODYS_NUMBER: &str = "+493023125099";
/// What the scenarios are written with.
const SAMPLE_CALLER: &str = "+447700900123";
const SAMPLE_KEY: &str = "dtmf_2833_5.pcap";
const SAMPLE_PAUSE: &str = "<pause milliseconds=\"2500\"/>";

/// One scenario, called once: from this number to that one, pressing the key where the scenario presses one.
fn sipp(scenario: &str, edge: &str, from: &str, to: &str, key: char) -> Finished {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("calls").join(scenario);
    let text = std::fs::read_to_string(file).expect("the scenario lies beside this test");
    let text = text.replace(SAMPLE_CALLER, from).replace(SAMPLE_KEY, &format!("dtmf_2833_{key}.pcap"));
    let folder = std::env::temp_dir().join(format!("ringtill-sipp-{}", uuid::Uuid::now_v7().simple()));
    std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
    let own = folder.join("scenario.xml");
    // Long enough on the line for the price to be told and the first increment to begin.
    std::fs::write(&own, text.replace(SAMPLE_PAUSE, "<pause milliseconds=\"4000\"/>")).expect("the folder is ours");
    let mut tester = Command::new(find_program("sipp"));
    tester.arg(edge).arg("-sf").arg(&own).args(["-s", to, "-m", "1", "-t", "u1", "-i", "127.0.0.1", "-nostdin"]);
    tester.args(["-p", &free_port(), "-mp", &free_port(), "-timeout", "60"]).env("TERM", "dumb").current_dir(&folder);
    let finished = run_peer(&tester, Duration::from_secs(90));
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    finished
}

/// An even port that is free: RTP takes even ones.
fn free_port() -> String {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("the loopback has a free port");
        let port = socket.local_addr().expect("a bound socket has an address").port();
        if port.is_multiple_of(2) {
            return port.to_string();
        }
    }
}

/// The calls of a number, newest first, as the list links them.
async fn calls_of(guest: &Guest, phone: &str) -> Vec<String> {
    let page = guest.get(&format!("/admin/calls?q={}", phone.replace('+', "%2B"))).await;
    assert_eq!(page.status, 200, "{}", page.text());
    page.links("/admin/calls/")
}

/// The page of the call that was not there before.
async fn new_call(guest: &Guest, phone: &str, before: &[String]) -> String {
    for _ in 0..100 {
        if let Some(call) = calls_of(guest, phone).await.into_iter().find(|call| !before.contains(call)) {
            return call;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("no new call of {phone} is listed");
}

/// Where the link with this text leads.
fn link_named(page: &Answer, name: &str) -> String {
    let text = page.text();
    let before = text.split_once(&format!(">{name}</a>")).unwrap_or_else(|| panic!("no link says {name}:\n{text}")).0;
    let from = before.rfind("href=\"").expect("a link has an address") + 6;
    before[from..].split('"').next().unwrap_or_default().to_owned()
}

fn audit_holds(program: &Program) {
    let audit = program.command(&["audit"]).output().expect("the program can be started");
    let told = String::from_utf8_lossy(&audit.stdout);
    assert!(audit.status.success(), "the audit finds nothing:\n{told}{}", String::from_utf8_lossy(&audit.stderr));
}

#[tokio::test]
async fn a_prepaid_call_is_charged_to_the_wallet_and_its_page_says_why() {
    let program = Program::on_the_demo_world().await;
    let admin = Guest::signed_in(&program, ADMIN).await;
    let jonas = link_named(&admin.get("/admin/customers").await, "Jonas Weber");
    let top_up = [("amount", "20.00"), ("kind", "bank_transfer"), ("reference", "before the call")];
    let paid = admin.post(&format!("{jonas}/payments"), &top_up).await;
    assert_eq!(paid.status, 303, "{}", paid.text());

    let before = calls_of(&admin, JONAS_PHONE).await;
    let run = sipp("basic.xml", &program.sip, JONAS_PHONE, NORDLICHT_ADVICE, '2');
    assert!(run.success, "{}", run.output);
    let call = new_call(&admin, JONAS_PHONE, &before).await;
    // Tenancy law: 5.00 for the connection; at most 6 s are one increment of 6 s at 0.50 a minute, 0.05.
    let page = admin.page_that_says(&call, "€5.05 for 1 minute on Tenancy law").await.text();
    for words in
        ["Why this price", "Advice, stepped", "Connection", "Recomputed from the stored facts just now: same result"]
    {
        assert!(page.contains(words), "{words}:\n{page}");
    }
    let list = admin.get(&format!("/admin/calls?q={}", JONAS_PHONE.replace('+', "%2B"))).await.text();
    let row = list.split_once(&call).expect("the call is listed").1;
    let row = row.split("</tr>").next().unwrap_or_default();
    assert!(row.contains("5.05") && row.contains("Settled"), "the row says what the page says:\n{row}");

    let customer = Guest::signed_in(&program, "jonas.weber@post.example").await;
    let own = customer.get(&call.replace("/admin/", "/portal/")).await;
    assert!(own.status == 200 && own.text().contains("€5.05"), "the caller sees the same:\n{}", own.text());
    audit_holds(&program);
}

#[tokio::test]
async fn a_postpaid_call_is_charged_by_the_hour_of_the_day_and_a_run_bills_only_what_ended() {
    let program = Program::on_the_demo_world().await;
    let admin = Guest::signed_in(&program, ADMIN).await;
    let before = calls_of(&admin, LAWYER_PHONE).await;
    let began = admin.get("/admin/calls").await;
    let run = sipp("basic.xml", &program.sip, LAWYER_PHONE, NORDLICHT_SUPPORT, '3');
    assert!(run.success, "{}", run.output);
    let call = new_call(&admin, LAWYER_PHONE, &before).await;
    // Service line: a first minute is charged whole, 0.49 on workdays from 8 to 18 o'clock in Berlin, else 0.29.
    let rate = if is_working_hour(&began.date) { "€0.49" } else { "€0.29" };
    admin.page_that_says(&call, &format!("{rate} for 1 minute on IT help")).await;

    // The call's own month has not ended: no run may reach into it.
    let today = day_in_berlin(&began.date);
    let ahead = today.checked_add(jiff::Span::new().days(40)).expect("the calendar goes on").to_string();
    assert_eq!(admin.post("/admin/runs", &[("period", &ahead)]).await.status, 422);
    let started = admin.post("/admin/runs", &[("period", &today.to_string())]).await;
    assert_eq!(started.status, 303, "{}", started.text());
    admin.page_that_says(&started.location, "drafts of ").await;
    let issued = admin.post(&format!("{}/finalization", started.location), &[]).await;
    assert_eq!(issued.status, 303, "{}", issued.text());
    admin.page_that_says(&started.location, "All invoices of the run are issued.").await;

    let invoices = admin.get("/admin/invoices").await.links("/admin/invoices/");
    let invoice = invoices.first().expect("the demo world has invoices");
    let pdf = admin.get(&format!("{invoice}/pdf")).await;
    assert!(pdf.status == 200 && pdf.body.starts_with(b"%PDF"), "the PDF of {invoice} is one");
    audit_holds(&program);
}

fn in_berlin(date: &str) -> jiff::Zoned {
    let at = jiff::fmt::rfc2822::parse(date).expect("an answer says when it was given");
    at.in_tz("Europe/Berlin").expect("Berlin is in the time zone database")
}

fn day_in_berlin(date: &str) -> jiff::civil::Date {
    in_berlin(date).date()
}

fn is_working_hour(date: &str) -> bool {
    let at = in_berlin(date);
    !matches!(at.weekday(), Weekday::Saturday | Weekday::Sunday) && (8..18).contains(&at.hour())
}

#[tokio::test]
async fn a_number_that_nobody_has_is_refused_and_leaves_nothing() {
    let program = Program::on_the_demo_world().await;
    let admin = Guest::signed_in(&program, ADMIN).await;
    let before = calls_of(&admin, JONAS_PHONE).await;
    let run = sipp("refused.xml", &program.sip, JONAS_PHONE, NOBODYS_NUMBER, '1');
    assert!(run.success, "{}", run.output);
    assert_eq!(calls_of(&admin, JONAS_PHONE).await, before);
    audit_holds(&program);
}

/// The program answers at once; only an edge that rings first can be given up on.
#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_while_it_rings_pays_nothing() {
    let world = demo_database().await;
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let spool = std::env::temp_dir().join(format!("ringtill-spool-{}", uuid::Uuid::now_v7().simple()));
    let mut settings = EdgeConfig::new((loopback, 0).into(), loopback, ringtill::app::SIP_REALM, &spool);
    settings.timing.ring = Duration::from_secs(5);
    let control = Arc::new(Control::new(world.db.clone()));
    let edge = Edge::start(settings, control, Arc::new(Clock::machine())).await.expect("the loopback has a free port");
    let address = edge.local_addr().to_string();
    let calling = move || sipp("cancel.xml", &address, JONAS_PHONE, NORDLICHT_ADVICE, '1');
    let run = tokio::task::spawn_blocking(calling).await.expect("the tester's thread ends");
    assert!(run.success, "{}", run.output);
    edge.shutdown().await;
    std::fs::remove_dir_all(&spool).expect("the folder is ours");

    let program = tokio::task::block_in_place(|| Program::on(world));
    let admin = Guest::signed_in(&program, ADMIN).await;
    let newest = calls_of(&admin, JONAS_PHONE).await.into_iter().next().expect("Jonas has called before");
    admin.page_that_says(&newest, "No charge").await;
    audit_holds(&program);
}
