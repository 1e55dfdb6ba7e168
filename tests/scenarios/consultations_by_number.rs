//! A consultant sells talks by telephone number: a fee for picking up, steps by the length of the talk, and 70% of it is hers;
//! the platform has 30%, a rental for the number, and a fee for setting it up.

use super::a_call_becomes_cash::{
    JONAS, TENANCY_LAW, a_call_to_lena, jonas_tops_up, lena_leaves_her_seat, lena_takes_her_seat, opened,
};
use super::shop::{Shop, component, each, in_advance, lines, monthly};
use super::story::{Story, dec, eur};
use money::Currency;
use ringtill::demo::JONAS_PHONE;
use subscription::ComponentKind;

#[tokio::test]
async fn consultations_are_sold_by_number_with_a_rental_and_a_split() {
    let story = Story::begins("2026-02-28T23:00:00Z").await; // midnight of 1 March in Berlin
    let consultant = Shop { story: &story, book: story.world.nordlicht };
    let platform = Shop { story: &story, book: story.world.operator };
    let number = platform
        .sells(
            "premium-number",
            monthly(
                Currency::EUR,
                vec![
                    in_advance(component("rental", ComponentKind::Flat, None, each("2.50"))),
                    in_advance(component("number_set_up", ComponentKind::OneOff, None, each("15"))),
                ],
            ),
        )
        .await;
    platform.subscribes(story.world.nordlicht_as_customer, number, false).await;

    jonas_tops_up(&story).await; // 50.00
    story.travel_to("2026-03-03T08:00:00Z");
    lena_takes_her_seat(&story).await;
    // 5.00 for picking up, then 0.50 a minute for 20 minutes, then 0.25 a minute.
    let talks = [
        ("2026-03-03T09:00:00Z", 2, "6.00", "5.042017", "1.512605", "3.529412"), // 5.00 + 2 x 0.50
        ("2026-03-03T10:00:00Z", 20, "15.00", "12.605042", "3.781513", "8.823529"), // 5.00 + 20 x 0.50
        ("2026-03-03T11:00:00Z", 40, "20.00", "16.806723", "5.042017", "11.764706"), // 5.00 + 20 x 0.50 + 20 x 0.25
    ];
    let mut calls = Vec::new();
    for (starts, minutes, ..) in talks {
        story.travel_to(starts);
        let (call, _) = a_call_to_lena(&story, JONAS_PHONE, TENANCY_LAW, minutes * 60).await;
        story.app.clock.travel_to(call.time());
        calls.push(call);
    }
    lena_leaves_her_seat(&story, story.now()).await;
    story.work().await;
    for (call, (_, _, gross, net, share, keeps)) in calls.iter().zip(talks) {
        let detail = opened(&story, call).await;
        assert_eq!((detail.call.charge, detail.call.net), (Some(eur(gross)), Some(eur(net)))); // net = gross / 1.19
        assert_eq!(detail.costs[0].amount, Some(eur(share))); // 30% of the net
        assert_eq!(detail.costs[0].share_percent, Some(dec("30")));
        assert_eq!(detail.margin, Some(eur(keeps))); // 70% of it: the net less the share
    }
    // 50.00 - 6.00 - 15.00 - 20.00
    assert_eq!(story.wallet(story.customer(JONAS)).await, (eur("9.00"), eur("0")));

    story.travel_to("2026-04-01T06:00:00Z");
    consultant.bills("2026-04-01").await;
    platform.bills("2026-04-01").await;
    let receipt = consultant.invoice(story.customer(JONAS)).await;
    // 41.00 / 1.19 = 34.4537.. = 34.45; 41.00 - 34.45 = 6.55; paid by the wallet, call by call
    assert_eq!(lines(&receipt), ["Tenancy law | 3 | 34.45", "net 34.45"]);
    assert_eq!((receipt.document.totals.gross, receipt.document.totals.due), (eur("41.00"), eur("0")));
    let bill = lines(&platform.invoice(story.world.nordlicht_as_customer).await);
    for line in [
        "rental | 1 | 2.50",
        "number_set_up | 1 | 15.00",
        "Revenue share | 10.336135 | 10.34", // 1.512605 + 3.781513 + 5.042017
    ] {
        assert!(bill.iter().any(|found| found == line), "{line} is not in {bill:#?}");
    }
    story.assert_audit_is_clean().await;
}
