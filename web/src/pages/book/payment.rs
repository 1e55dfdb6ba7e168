//! Money that came in for a customer: the form, what it would do, and doing it. The reference makes it one payment however
//! often the form is sent.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::pages::form::{Faults, Outcome, again};
use crate::shell::{Section, Token};
use crate::views::customers::{PaymentForm, PaymentPreview};
use crate::views::fields::Field;
use crate::views::parts::{Heading, PagePath, SumRow, Sums};
use crate::{format, read};
use actix_web::web;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use db::{CustomerId, TenantTx};
use jiff::tz::TimeZone;
use ledger::Wallet;
use money::{Currency, Money};
use payments::{Method, NewPayment, OpenItems, PaymentKind};
use rand::RngCore;
use serde::Deserialize;
use subscription::{Billing, Customer};
use tenant::Role;

/// Longest reference of a payment, in characters.
const REFERENCE_MAX: usize = 80;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    amount: String,
    kind: String,
    reference: String,
    idempotency_key: String,
}

/// The empty form, as a customer's page shows it.
pub fn form(member: &Member, customer: &Customer, csrf: Token) -> PaymentForm {
    filled(
        member,
        customer,
        csrf,
        &Asked { kind: Method::BankTransfer.as_str().into(), ..Asked::default() },
        &Faults::default(),
    )
}

fn filled(member: &Member, customer: &Customer, csrf: Token, asked: &Asked, faults: &Faults) -> PaymentForm {
    let kinds = Method::ALL.into_iter().map(|method| (method.as_str(), super::words::method(method)));
    PaymentForm {
        action: member.audience.customer_payments(customer.id),
        csrf,
        title: if customer.billing == Billing::Prepaid { "Add a top-up" } else { "Record a payment" }.into(),
        fields: vec![
            Field::figure("amount", "Amount", &asked.amount)
                .before(customer.currency.symbol())
                .error(faults.at("amount"))
                .required(),
            Field::choice("kind", "From", &asked.kind, kinds).error(faults.at("kind")),
            Field::text("reference", "Reference", &asked.reference).error(faults.at("reference")),
        ],
    }
}

/// What was asked for, as far as it can be read; the faults say what cannot.
struct Read {
    amount: Option<Money>,
    method: Option<Method>,
    reference: String,
}

fn read(customer: &Customer, asked: &Asked, faults: &mut Faults) -> Read {
    let reference = asked.reference.trim();
    let length = reference.chars().count();
    if length > REFERENCE_MAX {
        faults.say("reference", format!("Must not be longer than {REFERENCE_MAX} characters; these are {length}."));
    }
    let method = Method::from_word(&asked.kind).ok_or_else(|| "Must be one of the list.".to_owned());
    Read {
        amount: faults.keep("amount", read_amount(&asked.amount, customer.currency)),
        method: faults.keep("kind", method),
        reference: reference.to_owned(),
    }
}

/// A reference is one payment: the same again would be taken for a second look at the first.
async fn taken(tx: &TenantTx, customer: &Customer, reference: &str, zone: &TimeZone) -> PageResult<Option<String>> {
    let kind = match customer.billing {
        Billing::Prepaid => PaymentKind::TopUp,
        Billing::Postpaid => PaymentKind::Payment,
    };
    if reference.is_empty() {
        return Ok(None);
    }
    let known = payments::payment_of_reference(tx, kind, reference).await?;
    Ok(known.map(|known| {
        let on = format::stamp(known.received_at, zone).text;
        format!("Is the reference of {} of {on}. Choose another, or leave it empty.", known.amount.human())
    }))
}

/// An amount as people write it, with or without its symbol: whole minor units above zero.
fn read_amount(text: &str, currency: Currency) -> Result<Money, String> {
    let amount = read::money(text.trim().trim_start_matches(currency.symbol().as_str()), currency)?;
    if amount.is_positive() { Ok(amount) } else { Err("Must be above zero.".into()) }
}

/// `GET /admin/customers/{customer_id}/payments`: the form, and below it what confirming would do.
pub async fn preview(member: Member, path: web::Path<String>, asked: web::Query<Asked>) -> PageResult<PaymentPreview> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let customer = find(&tx, &path).await?;
    let mut faults = Faults::default();
    if asked.amount.is_empty() {
        // Somebody came for the form, and has sent nothing yet.
        let read = Read { amount: None, method: None, reference: String::new() };
        return page(&member, &tx, &customer, &asked, &read, &faults).await;
    }
    let read = read(&customer, &asked, &mut faults);
    if let Some(taken) = taken(&tx, &customer, &read.reference, &member.zone).await? {
        faults.say("reference", taken);
    }
    page(&member, &tx, &customer, &asked, &read, &faults).await
}

async fn page(
    member: &Member,
    tx: &TenantTx,
    customer: &Customer,
    asked: &Asked,
    read: &Read,
    faults: &Faults,
) -> PageResult<PaymentPreview> {
    let shell = shell(member, tx, "Payment", Section::Customers).await?;
    let amount = read.amount.filter(|_| faults.none());
    let wallet = ledger::wallet_of(tx, customer.id).await?;
    let outcome = match (amount, &wallet) {
        (None, _) => None,
        (Some(amount), Some(wallet)) => Some(into_wallet(wallet, amount)?),
        (Some(amount), None) => Some(onto_invoices(&payments::open_items(tx, customer.id, member.now).await?, amount)?),
    };
    let confirm = match (amount, customer.billing) {
        (Some(amount), Billing::Prepaid) => format!("Add {}", amount.human()),
        (Some(amount), Billing::Postpaid) => format!("Record {}", amount.human()),
        (None, _) => String::new(),
    };
    let mut key = [0u8; 9];
    rand::rng().fill_bytes(&mut key);
    let title = if customer.billing == Billing::Prepaid { "A top-up for" } else { "A payment of" };
    Ok(PaymentPreview {
        heading: Heading::new(format!("{title} {}", customer.name)).path(PagePath::under(
            &customer.name,
            member.audience.customer(customer.id),
            "Payment",
        )),
        form: filled(member, customer, shell.token(), asked, faults),
        outcome,
        confirm,
        idempotency_key: format!("by hand {}", URL_SAFE_NO_PAD.encode(key)),
        back_href: member.audience.customer(customer.id),
        shell,
    })
}

/// `POST /admin/customers/{customer_id}/payments`
pub async fn record(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Asked>,
) -> PageResult<Outcome<SeeOther, PaymentPreview>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let customer = find(&tx, &path).await?;
    let mut faults = Faults::default();
    let read = read(&customer, &given, &mut faults);
    let (Some(amount), Some(method), true) = (read.amount, read.method, faults.none()) else {
        return Ok(again(page(&member, &tx, &customer, &given, &read, &faults).await?));
    };
    let reference = if read.reference.is_empty() { given.idempotency_key.trim().to_owned() } else { read.reference };
    let new =
        NewPayment { customer_id: customer.id, amount, method, reference, received_at: member.now, by: member.actor() };
    let (id, action) = match customer.billing {
        Billing::Prepaid => (payments::top_up(&tx, &new, member.now).await?, "payment.top_up"),
        Billing::Postpaid => (payments::record_payment(&tx, &new, member.now).await?, "payment.record"),
    };
    let payload = serde_json::json!({ "customer": customer.id.to_string(), "amount": amount.to_string(), "reference": new.reference });
    tenant::record_audit(&tx, &member.actor(), action, &id.to_string(), payload, member.now).await?;
    let running: Vec<_> = match customer.billing {
        Billing::Prepaid => call_control::live_calls(&tx, member.now).await?,
        Billing::Postpaid => Vec::new(),
    };
    tx.commit().await?;
    // Calls that are about to run out get their new time now, not at the next renewal.
    for live in running.iter().filter(|live| live.call.customer_id == Some(customer.id)) {
        member.app.ask_edge(|edge| edge.recheck(live.call.id.uuid()));
    }
    let done = if customer.billing == Billing::Prepaid { "added to the wallet of" } else { "recorded for" };
    let notice = format!("{} {done} {}.", amount.human(), customer.name);
    Ok(Outcome::Left(see_other(member.audience.customer(customer.id)).notice(notice)))
}

async fn find(tx: &TenantTx, path: &str) -> PageResult<Customer> {
    let id: CustomerId = path.parse()?;
    subscription::customer(tx, id).await?.ok_or(PageError::NotFound)
}

fn into_wallet(wallet: &Wallet, amount: Money) -> PageResult<Sums> {
    Ok(Sums(vec![
        SumRow::plain("Balance now", wallet.balance.human_balance()),
        SumRow::plain("Top-up", amount.human_signed()),
        SumRow::sum("Balance after", wallet.balance.checked_add(amount)?.human_balance()),
        SumRow::Note("Calls that run get their new time at once.".into()),
    ]))
}

fn onto_invoices(open: &OpenItems, amount: Money) -> PageResult<Sums> {
    let mut rows = vec![SumRow::plain("Open now", open.open.human())];
    let mut left = amount.checked_add(open.credit)?;
    for item in &open.items {
        if !left.is_positive() {
            break;
        }
        let pays = left.min(item.open)?;
        left = left.checked_sub(pays)?;
        let whole = if pays == item.open { "paid" } else { "partly paid" };
        rows.push(SumRow::plain(
            format!("{} {whole}, due {}", item.number, format::date(super::words::civil(item.due_on))),
            pays.human(),
        ));
    }
    let after = open.open.checked_sub(amount)?;
    let rest = if after.is_negative() { Money::zero(after.currency()) } else { after };
    rows.push(SumRow::sum("Open after", rest.human()));
    if left.is_positive() {
        rows.push(SumRow::Note(format!("{} stays as credit for later invoices.", left.human())));
    }
    Ok(Sums(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::DocumentId;
    use payments::{OpenItem, PaymentStatus};

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    #[test]
    fn an_amount_is_read_as_people_write_it_and_anything_else_is_told_why() {
        assert_eq!(read_amount(" 1,030.50 ", Currency::EUR), Ok(eur("1030.50")));
        assert_eq!(read_amount("€5.60", Currency::EUR), Ok(eur("5.60")));
        for nonsense in ["", "0", "-5", "3.005", "thirty", "5,60", "1,00", "1000,000", "1e9", "5.6,0", ",500"] {
            assert!(read_amount(nonsense, Currency::EUR).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn the_preview_pays_the_invoice_that_is_due_first_and_keeps_the_rest_as_credit() {
        let item = |number: &str, due_on: &str, open: &str| OpenItem {
            document_id: DocumentId::new(),
            customer_id: CustomerId::new(),
            number: number.into(),
            issued_on: "2026-10-01".parse().unwrap(),
            due_on: due_on.parse().unwrap(),
            due: eur(open),
            paid: eur("0"),
            open: eur(open),
            status: PaymentStatus::Open,
            days_overdue: 0,
        };
        let items = vec![item("A-1", "2026-10-15", "100"), item("A-2", "2026-11-15", "50")];
        let open = OpenItems { items, open: eur("150"), overdue: eur("0"), credit: eur("0") };
        let rows = onto_invoices(&open, eur("120")).unwrap().0;
        // 100 for the first, 20 of 50 for the second, 30 left open
        assert!(matches!(&rows[1], SumRow::Plain(label, pays) if label.starts_with("A-1 paid") && pays == "€100.00"));
        assert!(
            matches!(&rows[2], SumRow::Plain(label, pays) if label.starts_with("A-2 partly paid") && pays == "€20.00")
        );
        assert!(matches!(&rows[3], SumRow::Sum(_, after) if after == "€30.00"));
        let rows = onto_invoices(&open, eur("160")).unwrap().0;
        assert!(matches!(rows.last(), Some(SumRow::Note(text)) if text.starts_with("€10.00 stays")));
    }
}
