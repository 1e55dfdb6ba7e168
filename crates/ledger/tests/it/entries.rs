//! All accounts of a book, entry by entry and day by day.

use crate::stage::{Stage, at, eur};
use ledger::{
    AccountKind, AccountRef, EntryFilter, EntryLine, Posting, balance, balance_before, entries, post, top_up,
    trial_balance,
};
use money::Currency;

fn all() -> EntryFilter {
    let limit = 100;
    EntryFilter {
        account: None,
        customer_id: None,
        currency: Currency::EUR,
        from: at(0),
        to: at(1000),
        after: None,
        limit,
    }
}

#[tokio::test]
async fn every_account_is_read_page_by_page_and_each_entry_once() {
    let stage = Stage::set().await;
    // 12:00 two top-ups at the same instant, 12:01 a sale on account: 119.00 = 100.00 + 19.00
    let (anna, ben) = (stage.customer_with("10.00").await, stage.customer_with("5.00").await);
    let tx = stage.tx().await;
    let sale = vec![
        (AccountRef::Customer(AccountKind::Receivable, ben), eur("-119.00")),
        (AccountRef::Book(AccountKind::Revenue), eur("100.00")),
        (AccountRef::Book(AccountKind::Tax), eur("19.00")),
    ];
    post(&tx, &Posting::new("invoice", "1", "Invoice 1", at(60), sale).unwrap(), at(60)).await.unwrap();
    let whole = entries(&tx, &all()).await.unwrap();
    assert_eq!(whole.len(), 7); // 2 + 2 + 3
    let mut paged: Vec<EntryLine> = Vec::new();
    loop {
        let after = paged.last().map(|line| line.place);
        let page = entries(&tx, &EntryFilter { after, limit: 2, ..all() }).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, whole);
    let of_ben = entries(&tx, &EntryFilter { customer_id: Some(ben), ..all() }).await.unwrap();
    let told: Vec<_> = of_ben.iter().map(|line| (line.account, line.amount)).collect();
    let account = |kind| AccountRef::Customer(kind, ben);
    assert_eq!(told, [(account(AccountKind::Wallet), eur("5.00")), (account(AccountKind::Receivable), eur("-119.00"))]);
    let wallets = EntryFilter { account: Some(AccountKind::Wallet), ..all() };
    assert_eq!(entries(&tx, &wallets).await.unwrap().len(), 2);
    let of_anna = EntryFilter { customer_id: Some(anna), ..wallets };
    assert_eq!(entries(&tx, &of_anna).await.unwrap()[0].amount, eur("10.00"));
    // half-open: an entry at the end is the next page's
    assert_eq!(entries(&tx, &EntryFilter { to: at(60), ..all() }).await.unwrap().len(), 4);
    assert_eq!(entries(&tx, &EntryFilter { from: at(60), ..all() }).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_balance_and_the_trial_balance_are_those_of_any_instant() {
    let stage = Stage::set().await;
    let anna = stage.customer_with("10.00").await;
    let tx = stage.tx().await;
    top_up(&tx, anna, eur("2.50"), "second", "Top-up", at(60), at(60)).await.unwrap();
    let wallet = AccountRef::Customer(AccountKind::Wallet, anna);
    let filter = EntryFilter { account: Some(AccountKind::Wallet), customer_id: Some(anna), ..all() };
    for (seconds, expected, before) in
        [(-1, "0", "0"), (0, "10.00", "0"), (59, "10.00", "10.00"), (60, "12.50", "10.00")]
    {
        assert_eq!(balance(&tx, wallet, Currency::EUR, at(seconds)).await.unwrap(), eur(expected), "{seconds}");
        assert_eq!(balance_before(&tx, &filter, at(seconds)).await.unwrap(), eur(before), "{seconds}");
    }
    let lines = trial_balance(&tx, at(59)).await.unwrap();
    let told: Vec<_> = lines.iter().map(|line| (line.kind, line.balance)).collect();
    assert_eq!(told, [(AccountKind::ProcessorClearing, eur("-10.00")), (AccountKind::Wallet, eur("10.00"))]);
}
