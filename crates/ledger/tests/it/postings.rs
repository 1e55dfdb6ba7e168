use crate::stage::{Stage, at, charge, eur};
use db::CallId;
use ledger::{
    AccountKind, AccountRef, LedgerError, Posting, balance, post, post_many, reverse, settle, statement, top_up,
    trial_balance,
};
use money::Currency;

#[tokio::test]
async fn the_database_refuses_entries_that_do_not_sum_to_zero() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let tx = stage.tx().await;
    // one cent out of nothing, written past Posting::new
    let forged = tx
        .run(
            "INSERT INTO ledger_entry (tenant_id, transaction_id, position, account_id, customer_id, currency, amount_micros, effective_at)
             SELECT e.tenant_id, e.transaction_id, 9, e.account_id, e.customer_id, e.currency, 10000, e.effective_at
             FROM ledger_entry e WHERE e.tenant_id = $1 AND e.customer_id = $2",
            [stage.tenant_id.into(), customer_id.into()],
        )
        .await;
    let refused = LedgerError::from(forged.unwrap_err());
    assert!(matches!(refused, LedgerError::EntriesMustBalance), "{refused:?}");
}

#[tokio::test]
async fn the_database_refuses_entries_of_a_transaction_that_is_not_there() {
    let stage = Stage::set().await;
    stage.customer_with("10.00").await;
    let forged = stage
        .tx()
        .await
        .run(
            "INSERT INTO ledger_entry (tenant_id, transaction_id, position, account_id, currency, amount_micros, effective_at)
             SELECT $1, $1, row_number() OVER (), a.id, 'EUR', CASE a.kind WHEN 'wallet' THEN 1 ELSE -1 END, now()
             FROM account a WHERE a.tenant_id = $1 AND a.kind IN ('wallet', 'processor_clearing')",
            [stage.tenant_id.into()],
        )
        .await;
    let constraint = db::constraint_of(&forged.unwrap_err());
    assert_eq!(constraint.as_deref(), Some("entries_have_transaction_and_account"));
}

#[tokio::test]
async fn entries_are_never_edited_or_deleted_by_the_role_that_serves() {
    let stage = Stage::set().await;
    stage.customer_with("10.00").await;
    for attempt in
        ["UPDATE ledger_entry SET amount_micros = 1", "DELETE FROM ledger_entry", "DELETE FROM ledger_transaction"]
    {
        let refused = stage.tx().await.run(attempt, []).await.unwrap_err();
        assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"), "{attempt}"); // insufficient privilege
    }
}

#[tokio::test]
async fn the_same_key_is_one_posting_alone_in_a_block_and_across_transactions() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("0").await;
    let pay = |key: &str, amount: &str| {
        let entries = vec![
            (AccountRef::Customer(AccountKind::Receivable, customer_id), eur(amount)),
            (AccountRef::Book(AccountKind::ProcessorClearing), eur(amount).checked_neg().unwrap()),
        ];
        Posting::new("payment", key, "Transfer", at(0), entries).unwrap()
    };
    let tx = stage.tx().await;
    let block = post_many(&tx, &[pay("a", "1.00"), pay("b", "2.00"), pay("a", "1.00")], at(0)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(block.iter().filter(|posted| posted.is_new).count(), 2);
    assert_eq!(block[0].transaction_id, block[2].transaction_id);
    let tx = stage.tx().await;
    let again = post(&tx, &pay("b", "2.00"), at(5)).await.unwrap();
    assert_eq!((again.transaction_id, again.is_new), (block[1].transaction_id, false));
    // 1.00 + 2.00
    let receivable = AccountRef::Customer(AccountKind::Receivable, customer_id);
    assert_eq!(balance(&tx, receivable, Currency::EUR, at(9)).await.unwrap(), eur("3.00"));
}

#[tokio::test]
async fn a_posting_moves_the_wallet_it_touches_and_never_below_its_floor() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let refund = |key: &str, amount: &str| {
        let entries = vec![
            (AccountRef::Customer(AccountKind::Wallet, customer_id), eur(amount).checked_neg().unwrap()),
            (AccountRef::Book(AccountKind::ProcessorClearing), eur(amount)),
        ];
        Posting::new("refund", key, "Refund", at(1), entries).unwrap()
    };
    let tx = stage.tx().await;
    post(&tx, &refund("1", "4.00"), at(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stage.wallet(customer_id).await.balance, eur("6.00")); // 10.00 - 4.00
    let tx = stage.tx().await;
    let refused = post(&tx, &refund("2", "6.000001"), at(1)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::WalletMustKeepItsFloor), "{refused:?}");
    drop(tx);
    let stranger = stage.customer().await;
    let tx = stage.tx().await;
    let refused = top_up(&tx, stranger, eur("1.00"), "x", "", at(0), at(0)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::NoWallet { .. }), "{refused:?}");
    drop(tx);
    stage.audit(at(1)).await;
}

#[tokio::test]
async fn a_mistake_is_reversed_once_and_never_edited() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let tx = stage.tx().await;
    let wrong = top_up(&tx, customer_id, eur("5.00"), "typed twice", "Top-up", at(1), at(1)).await.unwrap();
    let back = reverse(&tx, wrong.transaction_id, "r1", "Typed twice", at(2)).await.unwrap();
    assert!(back.is_new);
    assert!(!reverse(&tx, wrong.transaction_id, "r1", "Typed twice", at(3)).await.unwrap().is_new);
    let other = reverse(&tx, wrong.transaction_id, "r2", "Typed twice", at(3)).await.unwrap_err();
    assert!(matches!(other, LedgerError::AlreadyReversed(_)), "{other:?}");
    tx.commit().await.unwrap();
    assert_eq!(stage.wallet(customer_id).await.balance, eur("10.00")); // 10.00 + 5.00 - 5.00
    stage.audit(at(3)).await;
}

#[tokio::test]
async fn a_statement_tells_each_movement_and_the_balance_after_it() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let tx = stage.tx().await;
    settle(&tx, &charge(CallId::new(), customer_id, "2.30"), at(70)).await.unwrap(); // counts at 60
    top_up(&tx, customer_id, eur("5.00"), "second", "Top-up", at(90), at(90)).await.unwrap();
    let wallet = AccountRef::Customer(AccountKind::Wallet, customer_id);
    let told = |lines: Vec<ledger::StatementLine>| {
        let tell =
            |line: ledger::StatementLine| (line.kind, line.amount.format_plain(), line.balance_after.format_plain());
        lines.into_iter().map(tell).collect::<Vec<_>>()
    };
    let row = |kind: &str, amount: &str, after: &str| (kind.to_owned(), amount.to_owned(), after.to_owned());
    let all = statement(&tx, wallet, Currency::EUR, at(0), at(100), 10).await.unwrap();
    // 10.00; 10.00 - 2.30 = 7.70; 7.70 + 5.00 = 12.70
    assert_eq!(
        told(all),
        [row("top_up", "5.00", "12.70"), row("call", "-2.30", "7.70"), row("top_up", "10.00", "10.00")]
    );
    let middle = statement(&tx, wallet, Currency::EUR, at(1), at(90), 10).await.unwrap();
    assert_eq!(told(middle), [row("call", "-2.30", "7.70")]);
    let newest = statement(&tx, wallet, Currency::EUR, at(0), at(100), 1).await.unwrap();
    assert_eq!(told(newest), [row("top_up", "5.00", "12.70")]);
    assert_eq!(balance(&tx, wallet, Currency::EUR, at(60)).await.unwrap(), eur("7.70"));
    assert_eq!(balance(&tx, wallet, Currency::EUR, at(59)).await.unwrap(), eur("10.00"));
}

#[tokio::test]
async fn the_trial_balance_sums_to_zero() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    stage.customer_with("1.50").await;
    let tx = stage.tx().await;
    settle(&tx, &charge(CallId::new(), customer_id, "2.30"), at(70)).await.unwrap();
    let lines = trial_balance(&tx, at(100)).await.unwrap();
    let of = |kind| lines.iter().find(|line| line.kind == kind).map(|line| line.balance.format_plain());
    assert_eq!(of(AccountKind::Wallet).as_deref(), Some("9.20")); // 10.00 - 2.30 + 1.50
    assert_eq!(of(AccountKind::Unbilled).as_deref(), Some("2.30"));
    assert_eq!(of(AccountKind::ProcessorClearing).as_deref(), Some("-11.50")); // -(10.00 + 1.50)
    assert_eq!(lines.iter().map(|line| line.balance.micros()).sum::<i64>(), 0);
}

#[tokio::test]
async fn a_portal_customer_reads_its_own_statement_and_nobody_else_s() {
    let stage = Stage::set().await;
    let (anna, ben) = (stage.customer_with("10.00").await, stage.customer_with("20.00").await);
    let portal = stage.test.db.customer(stage.tenant_id, anna).await.unwrap();
    let of = |customer_id| AccountRef::Customer(AccountKind::Wallet, customer_id);
    assert_eq!(statement(&portal, of(anna), Currency::EUR, at(0), at(9), 9).await.unwrap().len(), 1);
    assert_eq!(statement(&portal, of(ben), Currency::EUR, at(0), at(9), 9).await.unwrap().len(), 0);
    assert!(ledger::wallet_of(&portal, ben).await.unwrap().is_none());
}
