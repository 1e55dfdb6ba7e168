//! What credit notes have taken back of an invoice.

use crate::content::TaxRow;
use crate::document::Document;
use crate::error::Result;
use crate::store::money;
use db::{LineId, TenantTx};
use money::{Decimal, Money};
use sea_orm::FromQueryResult;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Sums over all credit notes of one invoice.
pub(crate) struct Corrected {
    lines: BTreeMap<LineId, Money>,
    groups: Vec<TaxRow>,
    pub gross: Money,
    pub settled: Money,
}

impl Corrected {
    /// Of a line of this amount.
    pub(crate) fn of(&self, line: LineId, amount: Money) -> Money {
        self.lines.get(&line).copied().unwrap_or_else(|| Money::zero(amount.currency()))
    }

    /// Base and tax of a group.
    pub(crate) fn of_group(&self, row: &TaxRow) -> (Money, Money) {
        let same = |known: &&TaxRow| known.category == row.category && known.percent == row.percent;
        let nothing = Money::zero(row.base.currency());
        self.groups.iter().find(same).map_or((nothing, nothing), |known| (known.base, known.tax))
    }

    pub(crate) fn is_none(&self) -> bool {
        self.gross.is_zero()
    }
}

#[derive(FromQueryResult)]
struct LineRow {
    line_id: Uuid,
    amount: i64,
}

#[derive(FromQueryResult)]
struct GroupRow {
    category: String,
    percent: Decimal,
    base: i64,
    tax: i64,
}

#[derive(FromQueryResult)]
struct TotalRow {
    gross: i64,
    due: i64,
}

pub(crate) async fn of(tx: &TenantTx, invoice: &Document) -> Result<Corrected> {
    let currency = invoice.currency();
    let values = || [tx.tenant_id().into(), invoice.id.into()];
    let lines: Vec<LineRow> = tx
        .rows(
            "SELECT l.corrects_line AS line_id, sum(l.amount_micros)::bigint AS amount FROM document d
             JOIN document_line l ON l.tenant_id = d.tenant_id AND l.document_id = d.id
             WHERE d.tenant_id = $1 AND d.corrects = $2 AND l.corrects_line IS NOT NULL GROUP BY 1",
            values(),
        )
        .await?;
    let groups: Vec<GroupRow> = tx
        .rows(
            "SELECT t.category, t.percent, sum(t.base_micros)::bigint AS base, sum(t.tax_micros)::bigint AS tax FROM document d
             JOIN document_tax t ON t.tenant_id = d.tenant_id AND t.document_id = d.id
             WHERE d.tenant_id = $1 AND d.corrects = $2 GROUP BY 1, 2",
            values(),
        )
        .await?;
    let total: Option<TotalRow> = tx
        .row(
            "SELECT coalesce(sum(gross_micros), 0)::bigint AS gross, coalesce(sum(due_micros), 0)::bigint AS due
             FROM document WHERE tenant_id = $1 AND corrects = $2",
            values(),
        )
        .await?;
    let total = total.unwrap_or(TotalRow { gross: 0, due: 0 });
    let (gross, due) = (Money::from_micros(total.gross, currency), Money::from_micros(total.due, currency));
    let group = |row: GroupRow| {
        let (base, tax) = (money(row.base, currency.code())?, money(row.tax, currency.code())?);
        Ok(TaxRow { category: row.category, percent: row.percent.normalize(), base, tax })
    };
    Ok(Corrected {
        lines: lines.into_iter().map(|row| (row.line_id.into(), Money::from_micros(row.amount, currency))).collect(),
        groups: groups.into_iter().map(group).collect::<Result<_>>()?,
        gross,
        settled: gross.checked_sub(due)?,
    })
}
