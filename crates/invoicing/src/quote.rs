//! What a quote comes to, for its page and its PDF alike: the month of its quantities by the arithmetic of bills, what is charged
//! once, and the tax on each as it would stand on a document of today.

use crate::content::TaxRow;
use crate::document::Frozen;
use crate::error::Result;
use crate::pdf;
use crate::print::{self, Online, Paper, PaperKind};
use crate::sample::{SampleLine, SampleMonth, sample_month};
use crate::{tax, words};
use chrono::TimeDelta;
use db::TenantTx;
use money::{Currency, Decimal, Money, Percent};
use pricing::{Model, PricingError, TaxLine, tax_groups};
use subscription::{
    Component, ComponentKind, NewPlanVersion, Quote, QuotedCustomer, Refusal, SubscriptionError, TaxTreatment,
    customers_by_id,
};
use tenant::Organisation;

/// The figures of a quote.
#[derive(Clone, Debug, PartialEq)]
pub struct Quoted {
    pub month: SampleMonth,
    /// On the month's total.
    pub tax: TaxRow,
    pub gross: Money,
    pub once: Option<QuotedOnce>,
}

/// What is charged once, at the start; its lines are the month's `once`.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotedOnce {
    pub tax: TaxRow,
    pub gross: Money,
}

/// Reckons a quote.
pub async fn quoted(tx: &TenantTx, quote: &Quote) -> Result<Quoted> {
    let organisation = tenant::organisation(tx).await?;
    let treatment = match quote.customer {
        QuotedCustomer::Known(id) => {
            customers_by_id(tx, &[id]).await?.pop().map_or(TaxTreatment::Standard, |customer| customer.tax_treatment)
        }
        QuotedCustomer::New(_) => TaxTreatment::Standard,
    };
    figures(quote, treatment, organisation.tax_percent)
}

/// Refuses a quote whose month outgrows what money is kept in, by the quantity or the price that does it.
pub async fn must_be_reckoned(tx: &TenantTx, quote: &Quote) -> Result<Quoted> {
    match quoted(tx, quote).await {
        Err(error) if error.is_too_large() => {}
        reckoned => return reckoned,
    }
    let (field, value) = match largest(quote) {
        Some(part) => match quote.quantities.get(&part.key).filter(|quantity| !quantity.is_zero()) {
            Some(quantity) => (format!("quantities/{}", part.key), quantity.normalize().to_string()),
            None => priced(part),
        },
        None => ("seats".to_owned(), quote.seats.to_string()),
    };
    let rule = subscription::Rule::Document(PricingError::TooLarge);
    Err(SubscriptionError::Refused(Refusal { field, rule, value }).into())
}

/// The component whose month alone is the largest, or is too large already. Percentages only follow the others.
fn largest(quote: &Quote) -> Option<&Component> {
    let alone = |part: &Component| {
        let terms = NewPlanVersion::monthly(quote.terms.currency, vec![part.clone()]);
        let month = sample_month(&terms, &quote.quantities).ok()?;
        month.lines.iter().chain(&month.once).map(|line| line.amount.micros().unsigned_abs()).max()
    };
    let parts = quote.terms.components.iter().filter(|part| part.kind != ComponentKind::Percent);
    parts.max_by_key(|part| alone(part).map_or((true, 0), |amount| (false, amount)))
}

/// A component's price, as it stands in the terms.
fn priced(part: &Component) -> (String, String) {
    match &part.price.model {
        Model::PerUnit { unit } => (format!("components/{}/price/unit", part.key), unit.normalize().to_string()),
        _ => {
            let written = serde_json::to_string(&part.price).unwrap_or_default();
            (format!("components/{}/price", part.key), written)
        }
    }
}

fn figures(quote: &Quote, treatment: TaxTreatment, seller_percent: Decimal) -> Result<Quoted> {
    let currency = quote.terms.currency;
    let month = sample_month(&quote.terms, &quote.quantities)?;
    let taxed = |net: Money| -> Result<(TaxRow, Money)> {
        let (category, percent) = tax::category(treatment, seller_percent);
        let line = TaxLine { amount: net, rate: Percent::new(percent)?, category: category.to_owned() };
        let on_top = tax_groups(currency, &[line])?.tax;
        Ok((TaxRow { category: category.to_owned(), percent, base: net, tax: on_top }, net.checked_add(on_top)?))
    };
    let (tax, gross) = taxed(month.total)?;
    let once = match month.once.is_empty() {
        true => None,
        false => {
            let (tax, gross) = taxed(Money::sum(currency, month.once.iter().map(|line| line.amount))?)?;
            Some(QuotedOnce { tax, gross })
        }
    };
    Ok(Quoted { month, tax, gross, once })
}

/// The quote as a PDF in the seller's language; refused like [`must_be_reckoned`]. Not stored: it is what the quote says. `seen_at` is the address at which it is
/// read and accepted.
pub async fn quote_pdf(tx: &TenantTx, quote: &Quote, seen_at: Option<&str>) -> Result<Vec<u8>> {
    let organisation = tenant::organisation(tx).await?;
    let frozen = frozen(tx, quote, &organisation).await?;
    let quoted = must_be_reckoned(tx, quote).await?;
    let brand = pdf::brand(tx, &frozen.issuer).await?;
    let paper = paper(quote, &quoted, &organisation, &frozen, brand, seen_at)?;
    Ok(pdf::render(paper).await?.bytes)
}

async fn frozen(tx: &TenantTx, quote: &Quote, organisation: &Organisation) -> Result<Frozen> {
    let language = words::spoken(&organisation.language);
    let stated = |name: &str, lines: &[String], tax_id: &Option<String>| print::Party {
        name: name.to_owned(),
        lines: lines.to_vec(),
        contact: Vec::new(),
        tax_id: tax_id.clone(),
        tax_label: None,
        sender: None,
    };
    let (recipient, customer_no) = match &quote.customer {
        QuotedCustomer::Known(id) => match customers_by_id(tx, &[*id]).await?.pop() {
            Some(of) => (stated(&of.name, &of.address_lines, &of.tax_id), of.customer_no),
            None => {
                return Err(subscription::SubscriptionError::NotFound { kind: "customer", id: id.to_string() }.into());
            }
        },
        QuotedCustomer::New(of) => (stated(&of.name, &of.address_lines, &of.tax_id), String::new()),
    };
    Ok(Frozen {
        issuer: pdf::seller(organisation),
        recipient,
        country: organisation.country.clone(),
        language: language.to_owned(),
        time_zone: organisation.time_zone.clone(),
        customer_no,
        bank: Vec::new(),
        payment_terms_days: 0,
        reason: None,
    })
}

fn paper(
    quote: &Quote,
    quoted: &Quoted,
    organisation: &Organisation,
    frozen: &Frozen,
    brand: print::Brand,
    seen_at: Option<&str>,
) -> Result<Paper> {
    let currency = quote.terms.currency;
    let printing = Printing { quote, language: &frozen.language, tax: &quoted.tax };
    let issued = pricing::civil_date(quote.created_at, &organisation.time_zone)?;
    // Mostly it ends with the first instant of a day: then the day before is the last one.
    let last = pricing::civil_date(quote.valid_until - TimeDelta::seconds(1), &organisation.time_zone)?;
    let ends = last.succ_opt().unwrap_or(last);
    // What a program has written has nobody to ask; the seller's own contact stands at the head.
    let contact = Some(&quote.created_by).filter(|by| !by.starts_with("API key ")).cloned();
    let us = frozen.country == "US";
    let text = [&quote.plan_description, &quote.note].into_iter().filter(|text| !text.is_empty());
    let kind = PaperKind::Quote(print::QuoteTerms {
        valid_until: last.max(issued),
        term: Some(words::months(&frozen.language, quote.terms.term_months)),
        contact: contact.into_iter().collect(),
        text: text.flat_map(|text| text.lines()).map(str::to_owned).collect(),
        once: quoted.once.as_ref().map(|once| print::Once {
            lines: quoted.month.once.iter().map(|line| printing.line(line)).collect(),
            net: amount(once.tax.base),
            taxes: vec![row(&once.tax)],
            total: amount(once.gross),
        }),
        assumptions: printing.assumptions(),
    });
    Ok(Paper {
        kind,
        lang: frozen.language.clone(),
        region: Some(frozen.country.clone()),
        second_lang: None,
        paper: if us { "us-letter" } else { "a4" }.to_owned(),
        window: if frozen.country == "FR" { "right" } else { "left" }.to_owned(),
        currency: currency.code().to_owned(),
        digits: currency.exponent(),
        number: quote.number.clone(),
        issued,
        period: print::Span { start: issued, end: ends.max(issued) },
        customer_no: Some(frozen.customer_no.clone()).filter(|number| !number.is_empty()),
        subject: Some(quote.plan_name.clone()),
        draft: false,
        tax_word: us.then(|| "sales-tax".to_owned()),
        brand,
        issuer: frozen.issuer.clone(),
        recipient: frozen.recipient.clone(),
        groups: printing.groups(&quoted.month),
        taxes: vec![row(&quoted.tax)],
        totals: print::Totals {
            net: amount(quoted.month.total),
            tax: amount(quoted.tax.tax),
            gross: amount(quoted.gross),
            due: None,
        },
        settled: Vec::new(),
        legal: match ["AE", "E", "O"].contains(&quoted.tax.category.as_str()) {
            true => vec![print::Legal { code: Some(quoted.tax.category.clone()), text: None }],
            false => Vec::new(),
        },
        why: Vec::new(),
        payment: None,
        online: seen_at.map(|url| Online { url: url.to_owned() }),
    })
}

fn amount(money: Money) -> Decimal {
    let currency: Currency = money.currency();
    let mut decimal = money.as_decimal();
    decimal.rescale(currency.exponent());
    decimal
}

fn row(row: &TaxRow) -> print::TaxRow {
    print::TaxRow {
        cat: row.category.clone(),
        rate: row.percent,
        base: amount(row.base),
        tax: amount(row.tax),
        name: None,
    }
}

/// Lines of the month as they are printed.
struct Printing<'a> {
    quote: &'a Quote,
    language: &'a str,
    tax: &'a TaxRow,
}

impl Printing<'_> {
    fn component(&self, line: &SampleLine) -> Option<&Component> {
        self.quote.terms.components.iter().find(|component| component.key == line.key)
    }

    /// One group for each run of lines of a kind, in the order of the month.
    fn groups(&self, month: &SampleMonth) -> Vec<print::Group> {
        let mut groups: Vec<print::Group> = Vec::new();
        for line in &month.lines {
            let printed = self.line(line);
            let code = line.group.code();
            match groups.iter_mut().find(|group| group.code.as_deref() == Some(code)) {
                Some(group) => group.lines.push(printed),
                None => {
                    let lines = vec![printed];
                    groups.push(print::Group { code: Some(code.to_owned()), title: None, subtotal: None, lines });
                }
            }
        }
        for group in &mut groups {
            let sum = group.lines.iter().map(|line| line.amount).sum();
            group.subtotal = (group.lines.len() > 1).then_some(sum);
        }
        groups
    }

    fn line(&self, line: &SampleLine) -> print::Line {
        let component = self.component(line);
        let counted = component.filter(|component| component.is_counted());
        let unit_price = component.and_then(|component| match &component.price.model {
            Model::PerUnit { unit } => Some(*unit),
            Model::Percent(percent) => Some(percent.rate),
            _ => None,
        });
        let percent = component.is_some_and(|component| component.kind == ComponentKind::Percent);
        let unit = counted.and_then(|component| component.measure.as_deref());
        print::Line {
            text: self.text(line),
            detail: self.detail(component),
            period: None,
            qty: (counted.is_some() || percent).then(|| line.quantity.normalize()),
            unit: unit.and_then(|unit| words::unit(self.language, unit)).map(str::to_owned),
            factor: None,
            priced: None,
            price: unit_price.filter(|_| counted.is_some() || percent).map(|price| price.normalize()),
            percent,
            amount: amount(line.amount),
            cat: self.tax.category.clone(),
            rate: (!self.tax.percent.is_zero()).then(|| self.tax.percent.normalize()),
            subs: counted.map(|component| self.tiers(component)).unwrap_or_default(),
            why: Vec::new(),
        }
    }

    /// What a rule of the whole month adds stands in the document's language; names of components are the seller's.
    fn text(&self, line: &SampleLine) -> String {
        let terms = &self.quote.terms;
        match (line.key.is_empty(), line.name.as_str()) {
            (true, "Up to the agreed minimum") => words::commitment(self.language, terms.commitment),
            (true, "Above the cap") => match terms.fee_cap {
                Some(cap) => words::fee_cap(self.language, cap),
                None => line.name.clone(),
            },
            (true, "Term discount") => {
                words::term_discount(self.language, terms.term_discount_percent.as_decimal(), terms.term_months)
            }
            _ => line.name.clone(),
        }
    }

    fn detail(&self, component: Option<&Component>) -> Option<String> {
        let component = component?;
        let used = self.quote.quantities.get(&component.key).copied().unwrap_or_default();
        if !component.included.is_zero() {
            return Some(words::included(self.language, used, component.included));
        }
        let least = component.minimum_quantity;
        (!least.is_zero() && used < least).then(|| words::at_least(self.language, used, least))
    }

    /// Each tier with its price, below the line that is priced by them.
    fn tiers(&self, component: &Component) -> Vec<print::Subline> {
        let is_volume = matches!(component.price.model, Model::Volume { .. });
        let text = if is_volume { words::volume_tier } else { words::tier };
        let tier = |up_to: Option<Decimal>, price: Decimal| print::Subline {
            text: text(self.language, up_to),
            qty: None,
            unit: None,
            price: Some(price.normalize()),
            amount: None,
        };
        match &component.price.model {
            Model::Graduated { tiers } | Model::Volume { tiers } => {
                tiers.iter().map(|of| tier(of.up_to, of.unit)).collect()
            }
            Model::Stairstep { tiers } => tiers.iter().map(|of| tier(of.up_to, of.amount)).collect(),
            _ => Vec::new(),
        }
    }

    /// The quantities that were named.
    fn assumptions(&self) -> Vec<(String, String)> {
        let counted = self.quote.terms.components.iter().filter(|component| component.is_counted());
        let named = counted.filter_map(|component| Some((component, self.quote.quantities.get(&component.key)?)));
        named.map(|(component, quantity)| (component.name.clone(), words::grouped(self.language, *quantity))).collect()
    }
}
