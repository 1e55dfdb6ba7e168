//! Credit notes: an invoice is cancelled as a whole or by line, with its own rates, by a document with a number of its own
//! series. What was billed stays billed: a credited service is not due again, and what was billed ahead is not credited twice.

use crate::assemble::is_of_calls;
use crate::content::{Claim, DraftContent, Ledgered, Line, LineGroup, Service, TaxRow, Totals};
use crate::document::{Document, DocumentKind, DocumentView};
use crate::error::{InvoicingError, Result};
use crate::finalise::{credit_series, issue};
use crate::store::billed::{self, ClaimOf};
use crate::store::corrections::{self, Corrected};
use crate::store::finals::NewDocument;
use crate::store::{documents, drafts};
use chrono::{DateTime, Utc};
use db::{DocumentId, DraftId, LineId, TenantTx};
use money::{Decimal, Money};
use pricing::{Exact, RoundTo, start_of_day};

/// Cancels what is left of an invoice by a credit note over all of it. What calls had paid goes back to the wallet, the rest
/// off the receivable.
pub async fn credit(tx: &TenantTx, invoice: DocumentId, reason: &str, now: DateTime<Utc>) -> Result<DocumentId> {
    let origin = Origin::lock(tx, invoice).await?;
    let mut all = Vec::new();
    for line in origin.lines() {
        let left = origin.left_of(line)?;
        if !left.is_zero() || origin.corrected.is_none() {
            all.push((line.id, left));
        }
    }
    origin.credit(tx, &all, reason, now).await
}

/// Credits amounts (net) of single lines of an invoice: each at most what the line has left, and in all at most what the
/// invoice has. A line below zero (a discount) is credited with an amount below zero.
pub async fn credit_lines(
    tx: &TenantTx,
    invoice: DocumentId,
    lines: &[(LineId, Money)],
    reason: &str,
    now: DateTime<Utc>,
) -> Result<DocumentId> {
    Origin::lock(tx, invoice).await?.credit(tx, lines, reason, now).await
}

/// The invoice that is corrected, held until the transaction ends, with what was corrected of it before.
struct Origin {
    view: DocumentView,
    corrected: Corrected,
    claims: Vec<ClaimOf>,
}

impl Origin {
    async fn lock(tx: &TenantTx, invoice: DocumentId) -> Result<Origin> {
        documents::lock_origin(tx, invoice).await?;
        let view = documents::view(tx, invoice).await?;
        if view.document.kind != DocumentKind::Invoice || view.credited_by.is_some() {
            return Err(InvoicingError::MustBeUncreditedInvoice);
        }
        let corrected = corrections::of(tx, &view.document).await?;
        let claims = billed::claims_of(tx, &view.document).await?;
        Ok(Origin { view, corrected, claims })
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.view.groups.iter().flat_map(|grouped| &grouped.lines)
    }

    /// What of a line neither a credit note nor a change has given back.
    fn left_of(&self, line: &Line) -> Result<Money> {
        let left = line.amount.checked_sub(self.corrected.of(line.id, line.amount))?;
        let (Some(id), Some(key)) = (line.subscription_id, line.component_key.as_ref()) else { return Ok(left) };
        let of_line = |claim: &&ClaimOf| {
            claim.billed_id == id.uuid()
                && claim.component_key == *key
                && claim.service_starts_at <= line.service.starts_at
                && !claim.is_credit
        };
        let claim = self.claims.iter().filter(of_line).max_by_key(|claim| claim.service_starts_at);
        let credited = claim.map_or(0, |claim| claim.credited_micros);
        Ok(left.checked_sub(Money::from_micros(credited, left.currency()))?)
    }

    async fn credit(
        self,
        tx: &TenantTx,
        amounts: &[(LineId, Money)],
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<DocumentId> {
        let organisation = tenant::organisation(tx).await?;
        let issued_on = pricing::civil_date(now, &organisation.time_zone)?;
        let original = self.view.document.clone();
        let mut frozen = original.frozen.clone();
        frozen.reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        let mut content = self.content(amounts)?;
        content.claims = returned(&content.lines, &self.claims)?;
        content.must_sum()?;
        let draft_id = DraftId::new();
        drafts::insert(tx, None, &[(draft_id, original.customer_id, Box::new(content.clone()))], now).await?;
        drafts::mark_final(tx, &[draft_id], now).await?;
        let whole = content.totals.gross == original.totals.gross;
        let credit_note = NewDocument {
            id: DocumentId::new(),
            kind: DocumentKind::CreditNote,
            series: String::new(),
            serial: 0,
            number: String::new(),
            customer_id: original.customer_id,
            draft_id,
            run_id: None,
            corrects: Some(original.id),
            issued_on,
            issued_at: now,
            due_on: issued_on,
            frozen,
            content,
            transaction_id: None,
        };
        let id = credit_note.id;
        let mut block = [credit_note];
        issue(tx, &credit_series(&organisation), &mut block, now).await?;
        let does = if whole { "cancels invoice" } else { "corrects invoice" };
        let text = format!("Credit note {} {does} {}.", block[0].number, original.number);
        subscription::add_customer_event(tx, original.customer_id, "credit_note", &text, now, now).await?;
        Ok(id)
    }

    /// The credited lines under one heading; amounts stay positive, for they are credited.
    fn content(&self, amounts: &[(LineId, Money)]) -> Result<DraftContent> {
        let lines = self.credited(amounts)?;
        let document = &self.view.document;
        let zone = document.frozen.time_zone.clone();
        let taxes = self.taxes(&lines)?;
        let totals = self.totals(&lines, &taxes)?;
        let ledgered = Ledgered {
            wallet: Some(totals.settled).filter(|settled| !settled.is_zero()),
            unbilled: Money::zero(document.currency()),
            revenue: totals.net.checked_neg()?,
            rounding: Money::zero(document.currency()),
        };
        let period = period(document)?;
        Ok(DraftContent {
            kind: DocumentKind::CreditNote,
            lines,
            taxes,
            totals,
            period,
            time_zone: zone,
            claims: Vec::new(),
            ledgered,
            stands_on: Vec::new(),
        })
    }

    fn credited(&self, amounts: &[(LineId, Money)]) -> Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(amounts.len());
        for (id, amount) in amounts {
            let line = self.lines().find(|line| line.id == *id).ok_or(InvoicingError::UnknownLine(*id))?;
            let is_twice = amounts.iter().filter(|(other, _)| other == id).count() > 1;
            let left = self.left_of(line)?;
            let same_sign = amount.is_negative() == left.is_negative();
            if is_twice || !same_sign && !amount.is_zero() || !left.checked_abs()?.at_least(amount.checked_abs()?)? {
                return Err(InvoicingError::CreditMustNotExceedLine { text: line.text.clone(), left, found: *amount });
            }
            amount.minor_units()?;
            let is_whole = *amount == line.amount;
            lines.push(Line {
                id: LineId::new(),
                group: LineGroup::Correction,
                amount: *amount,
                quantity: if is_whole { line.quantity } else { Decimal::ZERO },
                unit_price: line.unit_price.filter(|_| is_whole),
                gross: line.gross.filter(|_| is_whole),
                corrects: Some(line.id),
                ..line.clone()
            });
        }
        Ok(lines)
    }

    /// Tax of each group in proportion, and what is left of it where the whole group is credited.
    fn taxes(&self, lines: &[Line]) -> Result<Vec<TaxRow>> {
        let mut taxes = Vec::new();
        for row in &self.view.taxes {
            let of_group = |line: &&Line| line.tax_category == row.category && line.tax_percent == row.percent;
            if !lines.iter().any(|line| of_group(&line)) {
                continue;
            }
            let base = Money::sum(row.base.currency(), lines.iter().filter(of_group).map(|line| line.amount))?;
            let (base_before, tax_before) = self.corrected.of_group(row);
            let left = row.tax.checked_sub(tax_before)?;
            let tax = if base_before.checked_add(base)? == row.base {
                left
            } else {
                let rate = Exact::from(row.percent).hundredths();
                Exact::from(base).times(&rate).to_money(base.currency(), RoundTo::Minor)?.min(left)?
            };
            taxes.push(TaxRow { base, tax, ..row.clone() });
        }
        Ok(taxes)
    }

    /// What calls had paid from a wallet goes back there: the gross of their lines, as far as it was paid so.
    fn totals(&self, lines: &[Line], taxes: &[TaxRow]) -> Result<Totals> {
        let document = &self.view.document;
        let currency = document.currency();
        let net = Money::sum(currency, taxes.iter().map(|row| row.base))?;
        let tax = Money::sum(currency, taxes.iter().map(|row| row.tax))?;
        let gross = net.checked_add(tax)?;
        let left = document.totals.gross.checked_sub(self.corrected.gross)?;
        if !gross.is_positive() && !left.is_zero() || !left.at_least(gross)? {
            return Err(InvoicingError::CreditMustNotExceedInvoice { left, found: gross });
        }
        let settled_left = document.totals.settled.checked_sub(self.corrected.settled)?;
        let settled = if gross == left {
            settled_left
        } else {
            let mut of_calls = Money::zero(currency);
            for line in lines.iter().filter(|line| {
                self.lines().any(|own| Some(own.id) == line.corrects && (own.gross.is_some() || is_of_calls(own)))
            }) {
                let whole = Exact::integer(1).plus(&Exact::from(line.tax_percent).hundredths());
                let with_tax = Exact::from(line.amount).times(&whole).to_money(currency, RoundTo::Minor)?;
                of_calls = of_calls.checked_add(with_tax)?;
            }
            of_calls.min(settled_left)?.min(gross)?
        };
        Ok(Totals { net, tax, gross, settled, due: gross.checked_sub(settled)? })
    }
}

fn period(document: &Document) -> Result<Service> {
    let zone = &document.frozen.time_zone;
    Ok(Service {
        starts_at: start_of_day(document.period_starts_on, zone)?,
        ends_at: start_of_day(document.period_ends_on, zone)?,
        starts_on: document.period_starts_on,
        ends_on: document.period_ends_on,
    })
}

/// That the claims of credited lines were given back, so that nothing credits them again.
fn returned(lines: &[Line], claims: &[ClaimOf]) -> Result<Vec<Claim>> {
    let mut all: Vec<Claim> = Vec::new();
    for line in lines.iter().filter(|line| !line.amount.is_zero()) {
        let (Some(id), Some(key)) = (line.subscription_id, line.component_key.as_ref()) else { continue };
        let of_line = |claim: &&ClaimOf| {
            claim.billed_id == id.uuid()
                && claim.component_key == *key
                && claim.service_starts_at <= line.service.starts_at
                && claim.is_credit == line.amount.is_negative()
        };
        let Some(claim) = claims.iter().filter(of_line).max_by_key(|claim| claim.service_starts_at) else { continue };
        let same = |known: &&mut Claim| {
            known.billed_id == claim.billed_id
                && known.component_key == *key
                && known.service_starts_at == claim.service_starts_at
        };
        match all.iter_mut().find(same) {
            Some(known) => known.amount = known.amount.checked_sub(line.amount)?,
            None => all.push(Claim {
                billed_id: claim.billed_id,
                component_key: key.clone(),
                service_starts_at: claim.service_starts_at,
                service_ends_at: claim.service_ends_at,
                kind: crate::content::Claimed::Returned.kind(claim.returned),
                quantity: Decimal::ZERO,
                amount: line.amount.checked_neg()?,
            }),
        }
    }
    Ok(all)
}
