//! Jonas pays in advance and has a plan with 100 minutes a month. He talks for 130: the allowance gives 100, his wallet pays the
//! other 30 while he talks, and the invoice says so and asks for nothing.

use super::a_call_becomes_cash::{
    JONAS, TENANCY_LAW, a_call_to_lena, jonas_tops_up, lena_leaves_her_seat, lena_takes_her_seat, opened,
};
use super::shop::{Shop, component, each, lines, monthly};
use super::story::{Story, dec, eur};
use ledger::{AccountKind, AccountRef};
use money::Currency;
use ringtill::demo::JONAS_PHONE;
use subscription::{Component, ComponentKind};

#[tokio::test]
async fn a_prepaid_caller_pays_beyond_his_minutes_from_the_wallet_and_not_again_by_invoice() {
    let story = Story::begins("2026-02-28T23:00:00Z").await; // midnight of 1 March in Berlin
    let shop = Shop { story: &story, book: story.world.nordlicht };
    let talk = component("talk", ComponentKind::Usage, Some("minutes"), each("0.40"));
    let plan = shop.sells("hundred", monthly(Currency::EUR, vec![Component { included: dec("100"), ..talk }])).await;
    let jonas = story.customer(JONAS);
    shop.subscribes(jonas, plan, false).await;
    jonas_tops_up(&story).await; // 50.00
    story.travel_to("2026-03-03T08:00:00Z");
    lena_takes_her_seat(&story).await;

    // 100 minutes are included: 60 of the first call and 40 of the second, whose other 20 the wallet pays; then the whole third.
    let talks = [
        ("2026-03-03T09:00:00Z", 60, "0", "0"),
        ("2026-03-03T11:00:00Z", 60, "8.00", "9.52"), // 20 x 0.40 = 8.00; x 1.19 = 9.52
        ("2026-03-03T13:00:00Z", 10, "4.00", "4.76"), // 10 x 0.40 = 4.00; x 1.19 = 4.76
    ];
    for (starts, minutes, net, gross) in talks {
        story.travel_to(starts);
        let (call, renewals) = a_call_to_lena(&story, JONAS_PHONE, TENANCY_LAW, minutes * 60).await;
        story.app.clock.travel_to(call.time());
        assert!(renewals > 1, "minutes and money are held a little ahead, not for the whole call");
        let detail = opened(&story, &call).await;
        assert_eq!((detail.call.net, detail.call.charge), (Some(eur(net)), Some(eur(gross))));
        call.tells_everything_again().await;
    }
    // 50.00 - 9.52 - 4.76, and nothing is held
    assert_eq!(story.wallet(jonas).await, (eur("35.72"), eur("0")));
    let allowances = ledger::allowances_of(&shop.tx().await, jonas, story.now()).await.unwrap();
    assert_eq!(allowances[0].used.as_decimal(), dec("130"));
    assert_eq!(allowances[0].beyond().as_decimal(), dec("30"));
    lena_leaves_her_seat(&story, story.now()).await;
    story.work().await;

    story.travel_to("2026-04-01T06:00:00Z");
    shop.bills("2026-04-01").await;
    let invoice = shop.invoice(jonas).await;
    // (130 - 100) x 0.40 = 12.00; x 0.19 = 2.28; 12.00 + 2.28 = 9.52 + 4.76
    assert_eq!(lines(&invoice), ["talk | 130 | 12.00", "net 12.00"]);
    let totals = invoice.document.totals;
    assert_eq!((totals.tax, totals.gross), (eur("2.28"), eur("14.28")));
    assert_eq!((totals.settled, totals.due), (eur("14.28"), eur("0")));
    assert_eq!(story.wallet(jonas).await, (eur("35.72"), eur("0")), "an invoice debits nothing again");
    // What the wallet paid waited as unbilled for the invoice, which leaves nothing of it and nothing to pay.
    let tx = shop.tx().await;
    for kind in [AccountKind::Receivable, AccountKind::Unbilled] {
        let account = AccountRef::Customer(kind, jonas);
        assert_eq!(ledger::balance(&tx, account, Currency::EUR, story.now()).await.unwrap(), eur("0"), "{kind}");
    }
    drop(tx);
    story.assert_audit_is_clean().await;
}
