//! Jonas pays 50.00 in advance and talks for 26 minutes; a law office on account talks for an hour. A month later both have
//! their invoice, the operator has its share, and every account sums to zero.

use super::story::{EdgeCall, Story, at, dec, eur, on};
use call_control::{CallDetail, ChargedBy, Line};
use db::{CustomerId, TenantTx};
use invoicing::{Document, DocumentFilter, DocumentView, LineSource, Phase};
use ledger::{AccountKind, AccountRef};
use money::{Currency, Money};
use payments::{Method, NewPayment};
use ringtill::demo::{JONAS_PHONE, NORDLICHT_ADVICE};
use sip_media::Service;
use tenant::{AgentState, SeatClosedBy};

/// Prepaid.
pub(super) const JONAS: &str = "K-3001";
/// Postpaid, without a plan: its calls are charged by tariff.
const LAW_OFFICE: &str = "K-3008";
const LAW_OFFICE_PHONE: &str = "+493088721540";
pub(super) const LENA: &str = "lena.nordlicht";
/// 5.00 set-up, 0.50 a minute for 20 minutes, then 0.25; in steps of 6 seconds.
pub(super) const TENANCY_LAW: u8 = 2;
/// 50.00 an hour, by the second.
const TAX_AND_ACCOUNTS: u8 = 4;

#[tokio::test]
async fn a_call_becomes_cash() {
    told().await;
}

/// The whole story, and the world that it leaves.
pub(super) async fn told() -> Story {
    let story = Story::begins("2026-03-01T00:00:00Z").await;
    jonas_tops_up(&story).await;
    story.travel_to("2026-03-03T08:00:00Z");
    lena_takes_her_seat(&story).await;

    story.travel_to("2026-03-03T10:00:00Z");
    let jonas_call = jonas_asks_about_tenancy_law(&story).await;
    a_second_telling_changes_nothing(&story, &jonas_call).await;

    story.travel_to("2026-03-03T11:00:00Z");
    let office_call = the_law_office_talks_for_an_hour(&story).await;
    lena_leaves_her_seat(&story, office_call.time()).await;
    the_operator_gets_its_share(&story, &jonas_call, &office_call).await;

    story.travel_to("2026-04-01T06:00:00Z");
    the_month_is_invoiced(&story).await;
    what_jonas_has_paid_already_is_not_asked_for_again(&story, &jonas_call).await;
    the_law_office_pays(&story).await;
    the_operator_invoices_its_share(&story).await;
    story.assert_audit_is_clean().await;
    story
}

pub(super) async fn jonas_tops_up(story: &Story) {
    story.travel_to("2026-03-02T09:00:00Z");
    let jonas = story.customer(JONAS);
    let tx = story.book(story.world.nordlicht).await;
    let payment = NewPayment {
        customer_id: jonas,
        amount: eur("50.00"),
        method: Method::BankTransfer,
        reference: "TOP-UP K-3001".into(),
        received_at: story.now(),
        by: "bank statement".into(),
    };
    payments::top_up(&tx, &payment, story.now()).await.unwrap();
    // The same line of the same statement, read again, is the same payment.
    payments::top_up(&tx, &payment, story.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(story.wallet(jonas).await, (eur("50.00"), eur("0")));
}

pub(super) async fn lena_takes_her_seat(story: &Story) {
    let tx = story.book(story.world.nordlicht).await;
    let agents = tenant::agents(&tx).await.unwrap();
    let lena = agents.iter().find(|agent| agent.sip_username == LENA).unwrap();
    tenant::open_seat(&tx, lena.id, story.now()).await.unwrap();
    tenant::set_agent_state(&tx, lena.id, AgentState::Ready, None, story.now()).await.unwrap();
    tx.commit().await.unwrap();
}

pub(super) async fn lena_leaves_her_seat(story: &Story, now: chrono::DateTime<chrono::Utc>) {
    let tx = story.book(story.world.nordlicht).await;
    let agents = tenant::agents(&tx).await.unwrap();
    let lena = agents.iter().find(|agent| agent.sip_username == LENA).unwrap();
    tenant::close_seat(&tx, lena.id, SeatClosedBy::SignOut, now).await.unwrap();
    tx.commit().await.unwrap();
}

/// A call that Lena takes: 4 s for the menu, 6 s of ringing, then `talk_seconds`.
pub(super) async fn a_call_to_lena(story: &Story, caller: &str, digit: u8, talk_seconds: u32) -> (EdgeCall, u32) {
    let mut call = EdgeCall::arrives(story, NORDLICHT_ADVICE, caller).await;
    call.pass_ms(4_000);
    let (service, _) = call.presses(digit).await;
    assert!(matches!(&service, Service::Agents { usernames } if usernames == &[LENA]), "{service:?}");
    call.is_answered_by(LENA).await;
    let renewals = call.talks(talk_seconds).await;
    call.hangs_up(LENA).await;
    (call, renewals)
}

pub(super) async fn opened(story: &Story, call: &EdgeCall) -> CallDetail {
    call_control::call(&story.book(story.world.nordlicht).await, call.id()).await.unwrap()
}

async fn jonas_asks_about_tenancy_law(story: &Story) -> EdgeCall {
    let (call, renewals) = a_call_to_lena(story, JONAS_PHONE, TENANCY_LAW, 26 * 60 + 9).await;
    story.app.clock.travel_to(call.time());
    assert!(renewals > 1, "money is held a little ahead, not for the whole call");
    let detail = opened(story, &call).await;
    assert_eq!(detail.call.topic_name.as_deref(), Some("Tenancy law"));
    assert_eq!(detail.call.charged_by, Some(ChargedBy::Tariff));
    assert_eq!(detail.call.metered_seconds, 1569); // 26 x 60 + 9
    assert_eq!(detail.call.billed_seconds, Some(1572)); // 262 x 6
    // 1572 s = 26.2 min: 5.00 + 20.0 x 0.50 + 6.2 x 0.25 = 5.00 + 10.00 + 1.55
    assert_eq!(detail.call.charge, Some(eur("16.55")));
    assert_eq!(detail.recount, detail.call.charge);
    // 16.55 / 1.19 = 13.9075630..
    assert_eq!(detail.call.net, Some(eur("13.907563")));
    // 50.00 - 16.55; what was held for the call is given back
    assert_eq!(story.wallet(story.customer(JONAS)).await, (eur("33.45"), eur("0")));
    call
}

async fn a_second_telling_changes_nothing(story: &Story, call: &EdgeCall) {
    let jonas = story.customer(JONAS);
    let before = opened(story, call).await;
    call.tells_everything_again().await;
    let after = opened(story, call).await;
    assert_eq!(after.call, before.call);
    assert_eq!((after.events.len(), after.legs.len()), (before.events.len(), 1));
    let tx = story.book(story.world.nordlicht).await;
    let wallet = AccountRef::Customer(AccountKind::Wallet, jonas);
    let (from, to) = (at("2026-03-01T00:00:00Z"), at("2026-04-01T00:00:00Z"));
    let moved = ledger::statement(&tx, wallet, Currency::EUR, from, to, 10).await.unwrap();
    let moved: Vec<_> = moved.iter().map(|line| (line.kind.as_str(), line.amount, line.balance_after)).collect();
    assert_eq!(moved, [("call", eur("-16.55"), eur("33.45")), ("top_up", eur("50.00"), eur("50.00"))]);
    drop(tx);
    // Paid and not yet on a document: -50.00 + 16.55 + 33.45 = 0
    assert_eq!(
        story.trial_balance().await,
        [("processor_clearing", eur("-50.00")), ("unbilled", eur("16.55")), ("wallet", eur("33.45"))]
    );
    assert_eq!(story.used_in_march(story.world.nordlicht, jonas, "calls").await, dec("1"));
    assert_eq!(story.used_in_march(story.world.nordlicht, jonas, "minutes").await, dec("26.2")); // 1572 / 60
    assert_eq!(story.used_in_march(story.world.nordlicht, jonas, "charge").await, dec("16.55"));
}

async fn the_law_office_talks_for_an_hour(story: &Story) -> EdgeCall {
    let (call, renewals) = a_call_to_lena(story, LAW_OFFICE_PHONE, TAX_AND_ACCOUNTS, 3600).await;
    story.app.clock.travel_to(call.time());
    assert_eq!(renewals, 0, "who pays by invoice is not asked for money during the call");
    let detail = opened(story, &call).await;
    assert_eq!(detail.call.billed_seconds, Some(3600));
    assert_eq!(detail.call.charge, Some(eur("50.00"))); // 3600 x 50.00 / 3600
    assert_eq!(detail.call.net, Some(eur("42.016807"))); // 50.00 / 1.19 = 42.0168067..
    // Accrued until it is invoiced: unbilled 16.55 - 42.016807 = -25.466807; in all -50.00 + 42.016807 - 25.466807 + 33.45 = 0
    assert_eq!(
        story.trial_balance().await,
        [
            ("processor_clearing", eur("-50.00")),
            ("revenue", eur("42.016807")),
            ("unbilled", eur("-25.466807")),
            ("wallet", eur("33.45")),
        ]
    );
    call
}

async fn the_operator_gets_its_share(story: &Story, jonas_call: &EdgeCall, office_call: &EdgeCall) {
    story.work().await;
    // 30% of the net: 13.907563 x 0.3 = 4.1722689; 42.016807 x 0.3 = 12.6050421
    for (call, share, margin) in [(jonas_call, "4.172269", "9.735294"), (office_call, "12.605042", "29.411765")] {
        let detail = opened(story, call).await;
        let costs: Vec<_> =
            detail.costs.iter().map(|cost| (cost.kind.as_str(), cost.amount, cost.share_percent)).collect();
        assert_eq!(costs, [("seller", Some(eur(share)), Some(dec("30")))]);
        assert_eq!(detail.margin, Some(eur(margin))); // the net less the share
    }
    let (operator, nordlicht) = (story.world.operator, story.world.nordlicht_as_customer);
    assert_eq!(story.used_in_march(operator, nordlicht, "calls").await, dec("2"));
    assert_eq!(story.used_in_march(operator, nordlicht, "minutes").await, dec("86.2")); // 1572 / 60 + 3600 / 60
    assert_eq!(story.used_in_march(operator, nordlicht, "share").await, dec("16.777311")); // 4.172269 + 12.605042
    // Carried upward once: the worker that works again finds nothing.
    story.work().await;
    assert_eq!(story.used_in_march(operator, nordlicht, "calls").await, dec("2"));
    story.assert_audit_is_clean().await;
}

async fn the_month_is_invoiced(story: &Story) {
    story.work().await;
    for book in [story.world.nordlicht, story.world.operator] {
        let tx = story.book(book).await;
        // March has ended: its run has started and drafted by itself.
        let drafted = invoicing::runs(&tx, 1).await.unwrap().pop().expect("the clock has started a run");
        let run = drafted.id;
        assert_eq!((drafted.until_on, drafted.started_by.as_str()), (on("2026-04-01"), invoicing::BY_SCHEDULE));
        assert_eq!((drafted.phase, drafted.counts.failed), (Phase::Ready, 0));
        // Nothing becomes final before a person says so; then the worker finishes it.
        invoicing::finalise_some(&tx, run, 1, story.now()).await.unwrap();
        tx.commit().await.unwrap();
        story.work().await;
        let done = invoicing::run(&story.book(book).await, run).await.unwrap();
        assert_eq!((done.phase, done.counts.failed), (Phase::Done, 0));
        assert_eq!(done.counts.finalised, drafted.counts.drafted);
    }
}

async fn the_invoice_of(tx: &TenantTx, customer_id: CustomerId) -> DocumentView {
    let filter = DocumentFilter { customer_id: Some(customer_id), ..DocumentFilter::default() };
    let documents: Vec<Document> = invoicing::documents(tx, &filter).await.unwrap();
    assert_eq!(documents.len(), 1);
    invoicing::document(tx, documents[0].id).await.unwrap()
}

/// (net, tax, gross, settled, due)
fn totals(view: &DocumentView) -> [Money; 5] {
    let totals = view.document.totals;
    [totals.net, totals.tax, totals.gross, totals.settled, totals.due]
}

async fn what_jonas_has_paid_already_is_not_asked_for_again(story: &Story, call: &EdgeCall) {
    let jonas = story.customer(JONAS);
    let tx = story.book(story.world.nordlicht).await;
    let view = the_invoice_of(&tx, jonas).await;
    assert_eq!(view.document.number, "NB-000001");
    assert_eq!((view.document.period_starts_on, view.document.period_ends_on), (on("2026-03-01"), on("2026-04-01")));
    // 16.55 / 1.19 = 13.907.. = 13.91; 16.55 - 13.91 = 2.64; the wallet has paid 16.55
    assert_eq!(totals(&view), ["13.91", "2.64", "16.55", "16.55", "0"].map(eur));
    assert_eq!(payments::open_items(&tx, jonas, story.now()).await.unwrap().items, []);
    let [group] = view.groups.as_slice() else { panic!("one group: {:?}", view.groups) };
    let [line] = group.lines.as_slice() else { panic!("one line: {:?}", group.lines) };
    assert_eq!((line.text.as_str(), line.quantity.normalize()), ("Tenancy law", dec("1")));
    // The line opens to the call.
    let LineSource::TariffCalls { topic_id, from, to } = line.source else { panic!("{:?}", line.source) };
    let beneath = call_control::calls_of_line(&tx, jonas, &Line::TariffCalls { topic_id }, from, to, 10).await.unwrap();
    assert_eq!(beneath.calls.iter().map(|call| call.id).collect::<Vec<_>>(), [call.id()]);
    assert_eq!(Some(beneath.totals.charge), line.gross);
    drop(tx);
    assert_eq!(story.wallet(jonas).await, (eur("33.45"), eur("0")));
}

async fn the_law_office_pays(story: &Story) {
    let office = story.customer(LAW_OFFICE);
    let tx = story.book(story.world.nordlicht).await;
    let view = the_invoice_of(&tx, office).await;
    assert_eq!(view.document.number, "NB-000003");
    // 50.00 / 1.19 = 42.016.. = 42.02; 50.00 - 42.02 = 7.98; nothing is paid yet
    assert_eq!(totals(&view), ["42.02", "7.98", "50.00", "0", "50.00"].map(eur));
    assert_eq!(payments::open_items(&tx, office, story.now()).await.unwrap().open, eur("50.00"));
    drop(tx);

    story.travel_to("2026-04-10T10:30:00Z");
    let tx = story.book(story.world.nordlicht).await;
    let payment = NewPayment {
        customer_id: office,
        amount: view.document.totals.due,
        method: Method::BankTransfer,
        reference: format!("SEPA {}", view.document.number),
        received_at: story.now(),
        by: "bank statement".into(),
    };
    payments::record_payment(&tx, &payment, story.now()).await.unwrap();
    tx.commit().await.unwrap();
    let tx = story.book(story.world.nordlicht).await;
    let open = payments::open_items(&tx, office, story.now()).await.unwrap();
    assert_eq!((open.items.len(), open.open, open.credit), (0, eur("0"), eur("0")));
    for kind in [AccountKind::Receivable, AccountKind::Unbilled] {
        for customer_id in [office, story.customer(JONAS)] {
            let account = AccountRef::Customer(kind, customer_id);
            let left = ledger::balance(&tx, account, Currency::EUR, story.now()).await.unwrap();
            assert_eq!(left, eur("0"), "{kind} of {customer_id}");
        }
    }
}

async fn the_operator_invoices_its_share(story: &Story) {
    let tx = story.book(story.world.operator).await;
    let view = the_invoice_of(&tx, story.world.nordlicht_as_customer).await;
    let lines: Vec<_> = view.groups.iter().flat_map(|group| &group.lines).collect();
    let line = |text: &str| {
        let found = lines.iter().find(|line| line.text.contains(text));
        found.unwrap_or_else(|| panic!("no line {text}: {lines:?}")).amount
    };
    assert_eq!(line("Revenue share"), eur("16.78")); // 16.777311, rounded once
    assert_eq!(line("Active agents"), eur("49.00")); // Lena alone: 1 x 49.00
    assert_eq!(line("Minutes"), eur("0.34")); // 86.2 x 0.0040 = 0.3448
}
