//! Real calls: sipp, which shares no code with the product, calls the running program; what came of it is then read on the
//! pages, as the call centre reads it. The scenarios are the XML files of this folder. Sending sound needs root.

mod outside;

use call_control::Control;
use jiff::civil::Weekday;
use manual::{Answer, Finished, Guest, Program, demo_database, find_program, run_peer};
use money::Decimal;
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
    let page = admin.page_that_says(&call, "€5.05 for ").await.text();
    let talked = seconds_talked(&page, "€5.05", "Tenancy law");
    assert!((1..=6).contains(&talked), "{talked} s");
    for words in
        ["Why this price", "Advice, stepped", "Connection", "Recomputed from the stored facts just now: same result"]
    {
        assert!(page.contains(words), "{words}:\n{page}");
    }
    assert_eq!(fact(&page, "Talk time"), format!("{talked} s"));
    assert_eq!(fact(&page, "Billed time"), "6 s");
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
async fn a_postpaid_call_is_charged_by_the_hour_of_the_day_and_stands_on_the_invoice_of_its_month() {
    let mut program = Program::on_the_demo_world().await;
    let admin = Guest::signed_in(&program, ADMIN).await;
    let before = calls_of(&admin, LAWYER_PHONE).await;
    let began = admin.get("/admin/calls").await;
    let run = sipp("basic.xml", &program.sip, LAWYER_PHONE, NORDLICHT_SUPPORT, '3');
    assert!(run.success, "{}", run.output);
    let call = new_call(&admin, LAWYER_PHONE, &before).await;
    // Service line: a first minute is charged whole, 0.49 on workdays from 8 to 18 o'clock in Berlin, else 0.29.
    let rate = if is_working_hour(&began.date) { "0.49" } else { "0.29" };
    let page = admin.page_that_says(&call, &format!("€{rate} for ")).await.text();
    let talked = seconds_talked(&page, &format!("€{rate}"), "IT help");
    assert!((1..=6).contains(&talked), "{talked} s");
    assert_eq!(fact(&page, "Billed time"), "1 min");

    // The call's own month has not ended: no run may reach into it.
    let called = in_berlin(&began.date);
    let next_month = called.first_of_month().and_then(|first| first.checked_add(jiff::Span::new().months(1)));
    let next_month = next_month.expect("the calendar goes on");
    assert_eq!(admin.post("/admin/runs", &[("period", &next_month.date().to_string())]).await.status, 422);

    // On the second of the next month its run has started and drafted by itself; a person looks, and issues.
    let days = called.date().until(next_month.date()).expect("the calendar goes on").get_days();
    program.travel(days.unsigned_abs() + 1);
    let admin = Guest::signed_in(&program, ADMIN).await;
    let month = called.strftime("%B %Y").to_string();
    let runs = admin.page_that_says("/admin/runs", &format!(">{month}</a>")).await;
    assert!(runs.text().contains("monthly schedule"), "{}", runs.text());
    let month_run = link_named(&runs, &month);
    admin.page_that_says(&month_run, "drafts of ").await;
    let issued = admin.post(&format!("{month_run}/finalization"), &[]).await;
    assert_eq!(issued.status, 303, "{}", issued.text());
    admin.page_that_says(&month_run, ">Issued<").await;

    let office = link_named(&admin.get("/admin/customers").await, "Kanzlei Brömmel");
    let invoices = admin.get(&office).await.links("/admin/invoices/");
    let invoice = invoices.first().expect("the office has invoices");
    let page = admin.get(invoice).await.text();
    assert!(page.contains(&format!("{month}, Europe/Berlin")), "the invoice of {month}:\n{page}");
    let line = line_named(&page, "IT help");
    let beneath = admin.get(&format!("{invoice}/lines/{}", line.id)).await.text();
    let rows = figures_of(&beneath, "tbody");
    let own = beneath.split_once(&call).unwrap_or_else(|| panic!("{call} lies beneath the line:\n{beneath}")).1;
    assert!(
        own.split("</tr>").next().is_some_and(|row| row.contains(&format!(">{rate}<"))),
        "with its charge:\n{beneath}"
    );
    // The charges add up to their sum, and the sum less the tax in it and what rounding leaves is the line's net.
    let foot = figures_of(&beneath, "tfoot");
    let (sum, rest) = foot.split_first().expect("the calls have a sum");
    let (net, steps) = rest.split_last().expect("the sum leads to a net");
    assert_eq!(rows.iter().sum::<Decimal>(), *sum, "{beneath}");
    assert_eq!(*sum + steps.iter().sum::<Decimal>(), *net, "{beneath}");
    assert_eq!(*net, line.net, "{beneath}");

    let pdf = admin.get(&format!("{invoice}/pdf")).await;
    assert!(pdf.status == 200 && pdf.body.starts_with(b"%PDF"), "the PDF of {invoice} is one");
    audit_holds(&program);
}

/// Of a call's heading, "€0.49 for 4 s on IT help".
fn seconds_talked(page: &str, price: &str, topic: &str) -> u32 {
    let after = page.split_once(&format!("{price} for ")).expect("the heading says the price").1;
    let (seconds, rest) = after.split_once(" s on ").unwrap_or_else(|| panic!("seconds are said:\n{page}"));
    assert!(rest.starts_with(topic), "{topic}:\n{page}");
    seconds.parse().unwrap_or_else(|_| panic!("{seconds:?} is a count of seconds"))
}

/// What the strip of facts says under this word.
fn fact(page: &str, word: &str) -> String {
    let after = page.split_once(&format!(">{word}<")).unwrap_or_else(|| panic!("{word} is said:\n{page}")).1;
    plain(after.split_once("<dd").expect("a fact has a value").1.split_once("</dd>").expect("a value ends").0)
}

/// The text of a piece of a page that begins within a tag.
fn plain(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('>').skip(1) {
        text += piece.split('<').next().unwrap_or_default();
    }
    text.trim().to_owned()
}

struct ShownLine {
    id: String,
    net: Decimal,
}

/// The line of an invoice's page that begins with this text.
fn line_named(page: &str, text: &str) -> ShownLine {
    for row in page.split("<tr id=\"line-").skip(1) {
        let row = row.split("</tr>").next().unwrap_or_default();
        if row.contains(&format!(">{text}<")) {
            let net = row.rsplit_once("<td class=\"r\"").expect("a line has a net").1;
            return ShownLine { id: row.split('"').next().unwrap_or_default().to_owned(), net: amount(&plain(net)) };
        }
    }
    panic!("no line is of {text}:\n{page}");
}

/// The last figure of each row in a part of a table.
fn figures_of(table: &str, part: &str) -> Vec<Decimal> {
    let of = table.split_once(&format!("<{part}")).and_then(|(_, rest)| rest.split_once(&format!("</{part}>")));
    let rows = of.unwrap_or_else(|| panic!("a {part}:\n{table}")).0.split("</tr>").filter(|row| row.contains("<td"));
    rows.map(|row| amount(&plain(row.rsplit_once("<td").expect("a row has cells").1))).collect()
}

/// "−1,234.5000" as a number.
fn amount(text: &str) -> Decimal {
    text.replace(',', "").replace('−', "-").parse().unwrap_or_else(|_| panic!("{text:?} is an amount"))
}

fn in_berlin(date: &str) -> jiff::Zoned {
    let at = jiff::fmt::rfc2822::parse(date).expect("an answer says when it was given");
    at.in_tz("Europe/Berlin").expect("Berlin is in the time zone database")
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
