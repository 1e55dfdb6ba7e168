//! A document as a PDF: made once, stored, and the same bytes for good.

use crate::content::{Line, LineSource, PERCENT_UNIT, Service};
use crate::document::{Document, DocumentKind, DocumentView, Frozen, grouped};
use crate::draft::draft;
use crate::error::{InvoicingError, Result};
use crate::print::{
    self, Online, Original, Paper, PaperKind, Payment, PrintError, Printed, Qr, QrKind, Renderer, epc_payload,
    typst_renderer,
};
use crate::store::{documents, settlements};
use crate::words;
use chrono::{DateTime, Days, Utc};
use db::{DocumentId, DraftId, TenantTx};
use money::Money;
use sha2::{Digest, Sha256};
use subscription::customers_by_id;

/// Colours of an organisation without a brand.
const INK: &str = "#1f3a5f";

/// Words that a payment block knows; what an organisation wrote under another name is not printed.
const BANK_WORDS: [&str; 6] = ["iban", "bic", "bank", "account", "routing", "swift"];

/// The PDF of a document. The first call prints and stores it, later ones read it. `seen_at` is the web address at which the
/// customer sees it; it is printed, and coded for cameras where no SEPA transfer can be.
pub async fn pdf(tx: &TenantTx, id: DocumentId, seen_at: Option<&str>, now: DateTime<Utc>) -> Result<Vec<u8>> {
    if let Some(stored) = documents::file(tx, id).await? {
        return Ok(stored);
    }
    let view = documents::view(tx, id).await?;
    let customer_id = view.document.customer_id;
    let paper = paper(tx, view, seen_at).await?;
    let printed = render(paper).await?;
    if !printed.replaced.is_empty() {
        tracing::warn!(document.id = %id, replaced = ?printed.replaced, "Printed a document with characters that no font has");
    }
    let hash = Sha256::digest(&printed.bytes).to_vec();
    documents::insert_file(tx, id, customer_id, &printed.bytes, hash, now).await?;
    // Somebody else may have been first: what is stored is the document.
    Ok(documents::file(tx, id).await?.unwrap_or(printed.bytes))
}

/// Documents issued since an instant that have no file yet: for a worker that prints ahead.
pub async fn unprinted(tx: &TenantTx, since: DateTime<Utc>, limit: u64) -> Result<Vec<DocumentId>> {
    documents::without_file(tx, since, limit).await
}

/// The PDF of a draft, with a watermark and without a number. Not stored: a draft may change.
pub async fn draft_pdf(tx: &TenantTx, id: DraftId, now: DateTime<Utc>) -> Result<Vec<u8>> {
    let draft = draft(tx, id).await?;
    let organisation = tenant::organisation(tx).await?;
    let customer = customers_by_id(tx, &[draft.customer_id]).await?.pop().ok_or(InvoicingError::UnknownDraft(id))?;
    let issued_on = pricing::civil_date(now, &organisation.time_zone)?;
    let frozen = Frozen::of(&organisation, &customer, words::spoken(&organisation.language));
    let heading = Heading {
        number: "—".to_owned(),
        issued: issued_on,
        period: span(&draft.content.period),
        kind: match draft.content.kind {
            DocumentKind::CreditNote => PaperKind::CreditNote { original: None, reason: None, refund: None },
            DocumentKind::Invoice | DocumentKind::Settlement => {
                let terms = Days::new(customer.payment_terms_days.into());
                let due = issued_on.checked_add_days(terms).unwrap_or(issued_on);
                PaperKind::Invoice { due, po: None, local_tax: None }
            }
        },
        draft: true,
    };
    let brand = brand(tx, &frozen.issuer).await?;
    let sums = Sums { totals: draft.content.totals, taxes: &draft.content.taxes };
    let paper = assemble(heading, brand, &frozen, draft.content.lines, sums)?;
    Ok(render(paper).await?.bytes)
}

/// Typesetting is tens of milliseconds of one core, so it leaves the async threads alone.
pub(crate) async fn render(paper: Paper) -> Result<Printed> {
    let printed = tokio::task::spawn_blocking(move || typst_renderer().render(&paper)).await;
    Ok(printed.map_err(|_| PrintError::Interrupted)??)
}

struct Heading {
    number: String,
    issued: chrono::NaiveDate,
    period: print::Span,
    kind: PaperKind,
    draft: bool,
}

struct Sums<'a> {
    totals: crate::content::Totals,
    taxes: &'a [crate::content::TaxRow],
}

/// The paper of a final document.
async fn paper(tx: &TenantTx, view: DocumentView, seen_at: Option<&str>) -> Result<Paper> {
    let document = view.document;
    let frozen = &document.frozen;
    let kind = match document.kind {
        DocumentKind::CreditNote => {
            let original = match document.corrects {
                Some(id) => Some(documents::view(tx, id).await?.document),
                None => None,
            };
            let refund = original.as_ref().map(|original| words::set_off(&frozen.language, &original.number));
            let original = original.map(|original| Original { number: original.number, issued: original.issued_on });
            PaperKind::CreditNote { original, reason: frozen.reason.clone(), refund }
        }
        DocumentKind::Invoice => PaperKind::Invoice { due: document.due_on, po: None, local_tax: None },
        DocumentKind::Settlement => return statement_paper(tx, &document, &view.taxes, seen_at).await,
    };
    let heading = Heading {
        number: document.number.clone(),
        issued: document.issued_on,
        period: print::Span { start: document.period_starts_on, end: document.period_ends_on },
        kind,
        draft: false,
    };
    let brand = brand(tx, &frozen.issuer).await?;
    let lines = view.groups.into_iter().flat_map(|grouped| grouped.lines).collect();
    let mut paper = assemble(heading, brand, frozen, lines, Sums { totals: document.totals, taxes: &view.taxes })?;
    paper.online = seen_at.map(|url| Online { url: url.to_owned() });
    if document.kind == DocumentKind::Invoice && document.totals.due.is_positive() {
        paper.payment = Some(payment(&document, seen_at));
    }
    Ok(paper)
}

/// A statement: a split in place of lines, and the words that make it the payee's own invoice.
async fn statement_paper(
    tx: &TenantTx,
    document: &Document,
    taxes: &[crate::content::TaxRow],
    seen_at: Option<&str>,
) -> Result<Paper> {
    let unknown = InvoicingError::UnknownDocument(document.id);
    let settlement = settlements::of_document(tx, document.id).await?.ok_or(unknown)?;
    let (frozen, statement) = (&document.frozen, &settlement.statement);
    let kind = PaperKind::Settlement {
        split: print::settlement::split(document.currency(), statement, &frozen.language)?,
        payout: print::settlement::payout(statement, &document.number, document.due_on),
        contract: Some(statement.agreement.clone()).filter(|agreement| !agreement.is_empty()),
    };
    let heading = Heading {
        number: document.number.clone(),
        issued: document.issued_on,
        period: print::Span { start: document.period_starts_on, end: document.period_ends_on },
        kind,
        draft: false,
    };
    let brand = brand(tx, &frozen.issuer).await?;
    let mut paper = assemble(heading, brand, frozen, Vec::new(), Sums { totals: document.totals, taxes })?;
    paper.legal.insert(0, print::Legal { code: Some("self".to_owned()), text: None });
    paper.online = seen_at.map(|url| Online { url: url.to_owned() });
    Ok(paper)
}

fn assemble(heading: Heading, brand: print::Brand, frozen: &Frozen, lines: Vec<Line>, sums: Sums<'_>) -> Result<Paper> {
    let Sums { totals, taxes } = sums;
    let currency = totals.gross.currency();
    let amount = |money: Money| {
        let mut decimal = money.as_decimal();
        decimal.rescale(currency.exponent());
        decimal
    };
    let mut why = Vec::new();
    let groups = printed_groups(lines, heading.period, &frozen.language, &amount, &mut why)?;
    let rows = taxes.iter().map(|row| print::TaxRow {
        cat: row.category.clone(),
        rate: row.percent,
        base: amount(row.base),
        tax: amount(row.tax),
        name: None,
    });
    let legal = taxes.iter().filter(|row| ["AE", "E", "O"].contains(&row.category.as_str()));
    let legal = legal.map(|row| print::Legal { code: Some(row.category.clone()), text: None }).collect();
    let settled = (!totals.settled.is_zero())
        .then(|| {
            Ok::<_, InvoicingError>(print::Settled {
                code: "wallet-credit".to_owned(),
                date: None,
                text: None,
                amount: amount(totals.settled.checked_neg()?),
            })
        })
        .transpose()?;
    let us = frozen.country == "US";
    Ok(Paper {
        kind: heading.kind,
        lang: frozen.language.clone(),
        region: Some(frozen.country.clone()),
        second_lang: None,
        paper: if us { "us-letter" } else { "a4" }.to_owned(),
        window: if frozen.country == "FR" { "right" } else { "left" }.to_owned(),
        currency: currency.code().to_owned(),
        digits: currency.exponent(),
        number: heading.number,
        issued: heading.issued,
        period: heading.period,
        customer_no: Some(frozen.customer_no.clone()),
        subject: None,
        draft: heading.draft,
        tax_word: us.then(|| "sales-tax".to_owned()),
        brand,
        issuer: frozen.issuer.clone(),
        recipient: frozen.recipient.clone(),
        groups,
        taxes: rows.collect(),
        totals: print::Totals {
            net: amount(totals.net),
            tax: amount(totals.tax),
            gross: amount(totals.gross),
            due: Some(amount(totals.due)),
        },
        settled: settled.into_iter().collect(),
        legal,
        why,
        payment: None,
        online: None,
    })
}

fn printed_groups(
    lines: Vec<Line>,
    period: print::Span,
    language: &str,
    amount: &impl Fn(Money) -> money::Decimal,
    why: &mut Vec<String>,
) -> Result<Vec<print::Group>> {
    let mut groups = Vec::new();
    for group in grouped(lines)? {
        let subtotal = (group.lines.len() > 1).then(|| amount(group.subtotal));
        let lines =
            group.lines.iter().map(|line| printed_line(line, period, language, amount(line.amount), why)).collect();
        groups.push(print::Group { code: Some(group.group.code().to_owned()), title: None, subtotal, lines });
    }
    Ok(groups)
}

fn printed_line(
    line: &Line,
    period: print::Span,
    language: &str,
    amount: money::Decimal,
    why: &mut Vec<String>,
) -> print::Line {
    let percent = line.unit == PERCENT_UNIT;
    let own = span(&line.service);
    let mut printed = print::Line {
        text: line.text.clone(),
        detail: Some(line.detail.clone()).filter(|detail| !detail.is_empty()),
        period: (own != period).then_some(own),
        qty: (!line.quantity.is_zero()).then(|| line.quantity.normalize()),
        unit: words::unit(language, &line.unit).map(str::to_owned),
        factor: None,
        price: line.unit_price.map(|price| price.normalize()),
        priced: matches!(line.source, LineSource::TariffCalls { .. }).then(|| words::by_call(language).to_owned()),
        percent,
        amount,
        cat: line.tax_category.clone(),
        rate: (!line.tax_percent.is_zero()).then(|| line.tax_percent.normalize()),
        subs: Vec::new(),
        why: Vec::new(),
    };
    // Derivations are written in English: in another language the line's own figures have to do.
    if language == "en" && line.unit_price.is_none() && line.explanation.steps.len() > 2 {
        let steps = line.explanation.lines();
        why.push(format!("{}: {}.", line.text, steps.join("; ")));
        printed.why = u32::try_from(why.len()).into_iter().collect();
    }
    printed
}

fn span(service: &Service) -> print::Span {
    print::Span { start: service.starts_on, end: service.ends_on }
}

/// A seller as its papers name it.
pub(crate) fn seller(organisation: &tenant::Organisation) -> print::Party {
    print::Party {
        name: organisation.legal_name.clone(),
        lines: organisation.address_lines.clone(),
        contact: organisation.contact_lines.clone(),
        tax_id: organisation.tax_id.clone(),
        tax_label: None,
        sender: None,
    }
}

pub(crate) async fn brand(tx: &TenantTx, issuer: &print::Party) -> Result<print::Brand> {
    let brand = tenant::brand(tx).await?;
    let colour = |of: fn(&tenant::BrandColours) -> &String| {
        brand.as_ref().map_or_else(|| INK.to_owned(), |brand| of(&brand.colours).clone())
    };
    let mut footer = vec![std::iter::once(issuer.name.clone()).chain(issuer.lines.clone()).collect::<Vec<_>>()];
    footer.push(issuer.contact.iter().cloned().chain(issuer.tax_id.clone()).collect());
    let logo_svg = brand.as_ref().and_then(|brand| brand.logo_svg.clone());
    Ok(print::Brand {
        name: brand.as_ref().map_or_else(|| issuer.name.clone(), |brand| brand.name.clone()),
        logo: logo_svg.as_ref().map(|_| "brand/logo.svg".to_owned()),
        primary: colour(|colours| &colours.accent_dark),
        accent: colour(|colours| &colours.accent),
        footer,
        logo_svg,
    })
}

/// How to pay: a transfer, coded for banking apps where it is one in euro, else a code that opens the page.
fn payment(document: &Document, seen_at: Option<&str>) -> Payment {
    let frozen = &document.frozen;
    let known = |word: &str| BANK_WORDS.into_iter().find(|known| *known == word.to_lowercase());
    let mut bank: print::Bank =
        frozen.bank.iter().filter_map(|(word, value)| Some((known(word)?.to_owned(), value.clone()))).collect();
    let of = |word: &str| {
        frozen.bank.iter().find(|(name, _)| name.to_lowercase() == word).map_or("", |(_, value)| value.as_str())
    };
    let epc = epc_payload(&frozen.issuer.name, of("iban"), of("bic"), document.totals.due, &document.number);
    let qr = match (epc, seen_at) {
        (Some(text), _) => Some(Qr { kind: QrKind::Epc, text }),
        (None, Some(url)) => Some(Qr { kind: QrKind::Link, text: url.to_owned() }),
        (None, None) => None,
    };
    if !bank.is_empty() {
        bank.insert(0, ("beneficiary".to_owned(), frozen.issuer.name.clone()));
        bank.push(("reference".to_owned(), document.number.clone()));
    }
    let days = (document.due_on - document.issued_on).num_days();
    Payment { text: (!bank.is_empty()).then(|| words::please_pay(&frozen.language, days)), bank, qr }
}
