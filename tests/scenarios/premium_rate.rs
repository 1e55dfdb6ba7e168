//! A premium-rate line: the callers' networks collect, the platform gets the money first and owes the call centre 70% of it.
//! What it owes is one self-billed statement a month; a charge that is taken back after the payout lessens the next.

use super::a_call_becomes_cash::{TENANCY_LAW, a_call_to_lena, lena_leaves_her_seat, lena_takes_her_seat, opened};
use super::story::{Story, dec, eur, on};
use db::NumberId;
use invoicing::{Payout, Settlement, SettlementFilter};
use ledger::{AccountKind, AccountRef};
use money::{Currency, Money, Percent};
use ringtill::demo::NORDLICHT_ADVICE;
use subscription::{Collection, PartnerTerms, ShareOf, Split};

/// Nobody's customer, who only calls.
const STRANGER: &str = "+491709999999";

async fn advice_line(story: &Story) -> NumberId {
    let numbers = subscription::numbers(&story.book(story.world.nordlicht).await, story.now()).await.unwrap();
    numbers.into_iter().find(|number| number.e164 == NORDLICHT_ADVICE).unwrap().id
}

/// 70/30, collected by the network, for every number of Nordlicht's that has no terms of its own.
async fn agree(story: &Story) {
    let number = advice_line(story).await;
    let tx = story.book(story.world.operator).await;
    let customer_id = story.world.nordlicht_as_customer;
    let share = Percent::new(dec("30")).unwrap();
    let split = Split { share, collection: Collection::Seller, of: ShareOf::Received };
    let terms = PartnerTerms { customer_id, split, agreement: "Agreement of 14 May 2025".into() };
    subscription::set_partner_terms(&tx, &terms, story.now()).await.unwrap();
    subscription::follow_customer(&tx, number, customer_id, story.now()).await.unwrap();
    tx.commit().await.unwrap();
    story.work().await;
}

/// The platform's statements for Nordlicht, the newest first.
async fn statements(story: &Story) -> Vec<Settlement> {
    let filter = SettlementFilter { limit: 10, ..SettlementFilter::default() };
    invoicing::settlements(&story.book(story.world.operator).await, &filter).await.unwrap()
}

async fn owed(story: &Story, book: db::TenantId, kind: AccountKind) -> Money {
    let tx = story.book(book).await;
    ledger::balance(&tx, AccountRef::Book(kind), Currency::EUR, story.now()).await.unwrap()
}

#[tokio::test]
async fn a_premium_line_is_paid_out_month_by_month() {
    let story = Story::begins("2026-02-28T23:00:00Z").await; // midnight of 1 March in Berlin
    agree(&story).await;
    story.travel_to("2026-03-03T08:00:00Z");
    lena_takes_her_seat(&story).await;
    // 5.00 for picking up, then 0.50 a minute for 20 minutes: nobody asks the stranger who he is, or for money.
    let mut calls = Vec::new();
    for (starts, minutes) in [("2026-03-03T09:00:00Z", 2), ("2026-03-03T10:00:00Z", 20)] {
        story.travel_to(starts);
        let (call, _) = a_call_to_lena(&story, STRANGER, TENANCY_LAW, minutes * 60).await;
        story.app.clock.travel_to(call.time());
        calls.push(call);
    }
    lena_leaves_her_seat(&story, story.now()).await;
    story.work().await;
    // 6.00 / 1.19 = 5.042017, of which 30% = 1.512605 stay and 3.529412 are owed;
    // 15.00 / 1.19 = 12.605042, of which 3.781513 stay and 8.823529 are owed: 12.352941 together
    assert_eq!(opened(&story, &calls[0]).await.margin, Some(eur("3.529412")));
    assert_eq!(owed(&story, story.world.operator, AccountKind::PartnerPayable).await, eur("12.352941"));
    assert_eq!(owed(&story, story.world.nordlicht, AccountKind::DueFromSeller).await, eur("-12.352941"));
    // the callers are on no bill of Nordlicht's
    assert_eq!(owed(&story, story.world.nordlicht, AccountKind::Tax).await, eur("0"));

    story.travel_to("2026-04-01T06:00:00Z");
    story.work().await;
    let march = statements(&story).await.remove(0);
    // 12.352941, rounded 12.35; 19% of it = 2.3465, rounded 2.35; 14.70
    assert_eq!((march.net, march.tax, march.gross), (eur("12.35"), eur("2.35"), eur("14.70")));
    assert_eq!((march.statement.rows[0].calls, march.statement.rows[0].seconds), (2, 1320)); // 120 + 1200 s
    assert_eq!(march.statement.agreement, "Agreement of 14 May 2025");
    let tx = story.book(story.world.operator).await;
    invoicing::issue_settlement(&tx, march.id, "Berta", story.now()).await.unwrap();
    tx.commit().await.unwrap();
    story.travel_to("2026-04-10T10:00:00Z");
    let payout = Payout { on: on("2026-04-10"), reference: "SEPA 4711".into(), by: "Berta".into() };
    let tx = story.book(story.world.operator).await;
    invoicing::record_payout(&tx, march.id, &payout, story.now()).await.unwrap();
    tx.commit().await.unwrap();
    story.work().await;
    assert_eq!(owed(&story, story.world.operator, AccountKind::PartnerPayable).await, eur("0"));
    assert_eq!(owed(&story, story.world.nordlicht, AccountKind::DueFromSeller).await, eur("0"));
    story.assert_audit_is_clean().await;

    // 12 April: the network charges the first call back. What was paid out stays; April begins below zero.
    story.travel_to("2026-04-12T10:00:00Z");
    let tx = story.book(story.world.nordlicht).await;
    call_control::reverse_call(&tx, calls[0].id(), "the network charged it back", story.now()).await.unwrap();
    tx.commit().await.unwrap();
    story.work().await;
    assert_eq!(owed(&story, story.world.operator, AccountKind::PartnerPayable).await, eur("-3.529412"));
    story.travel_to("2026-05-01T06:00:00Z");
    story.work().await;
    assert_eq!(statements(&story).await.len(), 1, "less than nothing is carried on, not paid");
    story.assert_audit_is_clean().await;

    // May: 20 minutes more, 8.823529; less what was taken back: 5.294117
    story.travel_to("2026-05-04T08:00:00Z");
    lena_takes_her_seat(&story).await;
    let (call, _) = a_call_to_lena(&story, STRANGER, TENANCY_LAW, 1200).await;
    story.app.clock.travel_to(call.time());
    lena_leaves_her_seat(&story, story.now()).await;
    story.travel_to("2026-06-01T06:00:00Z");
    story.work().await;
    let may = statements(&story).await.remove(0);
    assert_eq!((may.period_starts_on, may.owed), (on("2026-05-01"), eur("5.294117")));
    let adjusted: Vec<_> = may.statement.adjustments.iter().map(|row| (row.calls, row.owed)).collect();
    assert_eq!(adjusted, [(-1, eur("-3.529412"))]);
    story.assert_audit_is_clean().await;
}
