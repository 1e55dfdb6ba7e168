use crate::audit::Violation;
use crate::error::LedgerError;
use crate::reading::{StatementLine, TrialBalanceLine};
use crate::store::money;
use ::money::{Currency, Money};
use chrono::{DateTime, Utc};
use db::{AccountId, TenantTx};
use sea_orm::FromQueryResult;
use std::ops::Range;
use uuid::Uuid;

pub async fn balance(
    tx: &TenantTx,
    account_id: AccountId,
    currency: Currency,
    at: DateTime<Utc>,
) -> Result<Money, LedgerError> {
    let micros: Option<i64> = tx
        .value(
            "SELECT coalesce(sum(amount_micros), 0)::bigint AS v FROM ledger_entry
             WHERE tenant_id = $1 AND account_id = $2 AND effective_at <= $3",
            [tx.tenant_id().into(), account_id.into(), at.into()],
        )
        .await?;
    Ok(micros.map_or(Money::zero(currency), |micros| Money::from_micros(micros, currency)))
}

pub async fn trial_balance(tx: &TenantTx, at: DateTime<Utc>) -> Result<Vec<TrialBalanceLine>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        kind: String,
        currency: String,
        accounts: i64,
        amount_micros: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT a.kind, a.currency, count(*) AS accounts, sum(s.amount_micros)::bigint AS amount_micros
             FROM (SELECT account_id, sum(amount_micros) AS amount_micros FROM ledger_entry
                   WHERE tenant_id = $1 AND effective_at <= $2 GROUP BY 1) s
             JOIN account a ON a.tenant_id = $1 AND a.id = s.account_id
             GROUP BY 1, 2 ORDER BY 2, 1",
            [tx.tenant_id().into(), at.into()],
        )
        .await?;
    let line = |row: Row| {
        Ok(TrialBalanceLine {
            kind: row.kind.parse()?,
            accounts: row.accounts.unsigned_abs(),
            balance: money(row.amount_micros, &row.currency)?,
        })
    };
    rows.into_iter().map(line).collect()
}

/// The opening balance is one sum over the index; the window runs only over the range asked for.
pub async fn statement(
    tx: &TenantTx,
    account_id: AccountId,
    currency: Currency,
    range: Range<DateTime<Utc>>,
    limit: u64,
) -> Result<Vec<StatementLine>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        transaction_id: Uuid,
        effective_at: DateTime<Utc>,
        kind: String,
        key: String,
        memo: String,
        amount_micros: i64,
        after_micros: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "WITH opening AS (
               SELECT coalesce(sum(amount_micros), 0) AS micros FROM ledger_entry
               WHERE tenant_id = $1 AND account_id = $2 AND effective_at < $3
             ), line AS (
               SELECT e.transaction_id, e.position, e.effective_at, e.amount_micros,
                 (opening.micros + sum(e.amount_micros) OVER (ORDER BY e.effective_at, e.transaction_id, e.position))::bigint AS after_micros
               FROM ledger_entry e CROSS JOIN opening
               WHERE e.tenant_id = $1 AND e.account_id = $2 AND e.effective_at >= $3 AND e.effective_at < $4
               ORDER BY e.effective_at DESC, e.transaction_id DESC, e.position DESC LIMIT $5
             )
             SELECT line.transaction_id, line.effective_at, t.kind, t.key, t.memo, line.amount_micros, line.after_micros
             FROM line JOIN ledger_transaction t ON t.tenant_id = $1 AND t.id = line.transaction_id
             ORDER BY line.effective_at DESC, line.transaction_id DESC, line.position DESC",
            [
                tx.tenant_id().into(),
                account_id.into(),
                range.start.into(),
                range.end.into(),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    let line = |row: Row| StatementLine {
        at: row.effective_at,
        kind: row.kind,
        key: row.key,
        memo: row.memo,
        amount: Money::from_micros(row.amount_micros, currency),
        balance_after: Money::from_micros(row.after_micros, currency),
        transaction_id: row.transaction_id.into(),
    };
    Ok(rows.into_iter().map(line).collect())
}

/// Each check of [`crate::audit`] as a query of the rows that break it: (invariant, query with $1 tenant and $2 instant).
const CHECKS: [(&str, &str); 11] = [
    (
        "I1",
        "SELECT format('transaction %s sums to %s micros of %s', transaction_id, sum(amount_micros), currency) AS v FROM ledger_entry
         WHERE tenant_id = $1 AND $2::timestamptz IS NOT NULL GROUP BY transaction_id, currency HAVING sum(amount_micros) <> 0",
    ),
    (
        "I2",
        "SELECT format('wallet %s of customer %s holds %s micros, its entries sum to %s', w.id, w.customer_id, w.balance_micros, coalesce(s.micros, 0)) AS v
         FROM wallet w LEFT JOIN (SELECT e.account_id, sum(e.amount_micros) AS micros FROM ledger_entry e WHERE e.tenant_id = $1 GROUP BY 1) s
           ON s.account_id = w.account_id
         WHERE w.tenant_id = $1 AND $2::timestamptz IS NOT NULL AND w.balance_micros <> coalesce(s.micros, 0)",
    ),
    (
        "I2",
        "SELECT format('wallet %s of customer %s has %s micros reserved, its open reservations sum to %s', w.id, w.customer_id, w.reserved_micros, coalesce(s.micros, 0)) AS v
         FROM wallet w LEFT JOIN (SELECT r.wallet_id, sum(r.amount_micros) AS micros FROM reservation r
           WHERE r.tenant_id = $1 AND r.state = 'open' GROUP BY 1) s ON s.wallet_id = w.id
         WHERE w.tenant_id = $1 AND $2::timestamptz IS NOT NULL AND w.reserved_micros <> coalesce(s.micros, 0)",
    ),
    (
        "I3",
        "SELECT format('wallet %s of customer %s: balance %s - reserved %s is below the floor %s', id, customer_id, balance_micros, reserved_micros, floor_micros) AS v
         FROM wallet WHERE tenant_id = $1 AND $2::timestamptz IS NOT NULL AND balance_micros - reserved_micros < floor_micros",
    ),
    (
        "I14",
        "SELECT format('reservation %s/%s/%s is open since its lease ended at %s', call_id, leg, seq, lease_until) AS v
         FROM reservation WHERE tenant_id = $1 AND state = 'open' AND lease_until < $2",
    ),
    (
        "I2",
        "SELECT format('allowance %s of subscription %s from %s has %s millionths promised, its open holds sum to %s',
           a.component_key, a.subscription_id, a.starts_at, a.reserved_micros, coalesce(s.micros, 0)) AS v
         FROM allowance a LEFT JOIN (SELECT h.subscription_id, h.component_key, h.starts_at, sum(h.amount_micros) AS micros FROM allowance_hold h
           WHERE h.tenant_id = $1 AND h.state = 'open' GROUP BY 1, 2, 3) s USING (subscription_id, component_key, starts_at)
         WHERE a.tenant_id = $1 AND $2::timestamptz IS NOT NULL AND a.reserved_micros <> coalesce(s.micros, 0)",
    ),
    (
        "I2",
        "SELECT format('allowance %s of subscription %s from %s counts %s millionths used, its uses sum to %s and %s came by another way',
           a.component_key, a.subscription_id, a.starts_at, a.used_micros, coalesce(s.micros, 0), a.other_micros) AS v
         FROM allowance a LEFT JOIN (SELECT u.subscription_id, u.component_key, u.starts_at, sum(u.quantity_micros) AS micros FROM allowance_use u
           WHERE u.tenant_id = $1 GROUP BY 1, 2, 3) s USING (subscription_id, component_key, starts_at)
         WHERE a.tenant_id = $1 AND $2::timestamptz IS NOT NULL AND a.used_micros <> coalesce(s.micros, 0) + a.other_micros",
    ),
    (
        "I3",
        "SELECT format('allowance %s of subscription %s from %s: %s free and %s promised of %s included and %s overdrawn, %s used',
           component_key, subscription_id, starts_at, free_micros, reserved_micros, included_micros, overdrawn_micros, used_micros) AS v
         FROM allowance WHERE tenant_id = $1 AND $2::timestamptz IS NOT NULL
           AND (free_micros + reserved_micros > included_micros + overdrawn_micros OR free_micros > greatest(0, used_micros))",
    ),
    (
        "I14",
        "SELECT format('call %s holds %s millionths of %s since its lease ended at %s', call_id, amount_micros, component_key, lease_until) AS v
         FROM allowance_hold WHERE tenant_id = $1 AND state = 'open' AND lease_until < $2",
    ),
    (
        "I8",
        "SELECT format('calls to %s on %s: %s micros are kept and %s owed of %s', called, shared_on, kept_micros, owed_micros, base_micros) AS v
         FROM partner_share WHERE tenant_id = $1 AND $2::timestamptz IS NOT NULL AND base_micros <> kept_micros + owed_micros",
    ),
    (
        "I8",
        "SELECT format('calls to %s on %s: %s micros are owed, and %s are posted as payable', s.called, s.shared_on, s.owed_micros, coalesce(e.micros, 0)) AS v
         FROM partner_share s LEFT JOIN LATERAL (SELECT sum(e.amount_micros) AS micros FROM ledger_entry e
           JOIN account a ON a.tenant_id = $1 AND a.id = e.account_id AND a.kind = 'partner_payable'
           WHERE e.tenant_id = $1 AND e.transaction_id = s.transaction_id) e ON true
         WHERE s.tenant_id = $1 AND $2::timestamptz IS NOT NULL AND s.owed_micros <> coalesce(e.micros, 0)",
    ),
];

/// What the book breaks; leases are measured against `leases_before`.
pub async fn violations(tx: &TenantTx, leases_before: DateTime<Utc>) -> Result<Vec<Violation>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        v: String,
    }
    let mut found = Vec::new();
    for (invariant, query) in CHECKS {
        let rows: Vec<Row> = tx.rows(query, [tx.tenant_id().into(), leases_before.into()]).await?;
        found.extend(rows.into_iter().map(|row| Violation { invariant, detail: row.v }));
    }
    Ok(found)
}
