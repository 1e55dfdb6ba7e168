//! A wallet: what of it was paid and what was given, its credit limit, and when it asks for money by itself.

use super::words::{civil_day, day, midnight};
use super::{shell, wallet_recharge};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult, sentence};
use crate::extract::Member;
use crate::pages::form::{Faults, Given, Outcome, again, text};
use crate::shell::Section;
use crate::views::fields::{Control, Field};
use crate::views::parts::{Heading, Note, PagePath, Stat, Stats};
use crate::views::settlements::{Move, WalletPage};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use crate::{format, read};
use actix_web::{Either, web};
use chrono::Days;
use db::{CustomerId, TenantTx};
use ledger::{Credit, LedgerError, Promotion, Wallet};
use serde_json::json;
use subscription::Customer;
use tenant::Role;
use uuid::Uuid;

/// Longest reason of a credit, in characters.
const MEMO_MAX: usize = 120;

/// `GET /admin/customers/{customer_id}/wallet`
pub async fn wallet(member: Member, path: web::Path<String>) -> PageResult<WalletPage> {
    let tx = member.tx().await?;
    let customer = find(&tx, &path).await?;
    page(&member, &tx, &customer, &Given::default(), &Faults::default()).await
}

pub async fn find(tx: &TenantTx, path: &str) -> PageResult<Customer> {
    let id: CustomerId = path.parse()?;
    subscription::customer(tx, id).await?.ok_or(PageError::NotFound)
}

/// The page, with what was typed.
pub async fn page(
    member: &Member,
    tx: &TenantTx,
    customer: &Customer,
    given: &Given,
    faults: &Faults,
) -> PageResult<WalletPage> {
    let wallet = ledger::wallet_of(tx, customer.id).await?;
    let credit = ledger::credit_of(tx, customer.id).await?;
    let terms = ledger::auto_recharge_of(tx, customer.id).await?;
    let audience = member.audience;
    let mut moves = Vec::new();
    if let (Some(wallet), true) = (&wallet, member.must(Role::Billing).is_ok() && customer.closed_at.is_none()) {
        moves.push(credit_form(member, wallet, given, faults));
        moves.push(limit_form(member, wallet, given, faults)?);
        moves.extend(wallet_recharge::moves(member, customer, terms.as_ref(), given, faults));
    }
    Ok(WalletPage {
        shell: shell(member, tx, "Credit and limits", Section::Customers).await?,
        heading: Heading::new(format!("The wallet of {}", customer.name)).path(PagePath::under(
            &customer.name,
            audience.customer(customer.id),
            "Credit and limits",
        )),
        note: match (&wallet, &terms) {
            (None, _) => Some(Note::plain(format!("{} pays by invoice and has no wallet.", customer.name))),
            (Some(_), Some(terms)) => wallet_recharge::note(terms, &member.zone),
            _ => None,
        },
        figures: match (&wallet, &credit) {
            (Some(wallet), Some(credit)) => figures(wallet, credit)?,
            _ => Stats::default(),
        },
        grants: grants(credit.as_ref(), &member.session.organisation.time_zone, member)?,
        attempts: wallet_recharge::attempts(tx, customer, &member.zone).await?,
        moves,
    })
}

fn figures(wallet: &Wallet, credit: &Credit) -> PageResult<Stats> {
    Ok(Stats(vec![
        Stat::new("Balance", wallet.balance.human_balance()).note("paid and given", Tone::Plain),
        Stat::new("Paid", credit.paid.human_balance()),
        Stat::new("Given", credit.promotional.human_balance()).note("used first", Tone::Plain),
        Stat::new("Available", wallet.available()?.human_balance())
            .note(format!("{} held by calls that run", wallet.reserved.human()), Tone::Plain),
        Stat::new("Credit limit", wallet.floor.checked_neg()?.human()).note("below zero", Tone::Plain),
    ]))
}

fn grants(credit: Option<&Credit>, zone: &str, member: &Member) -> PageResult<Table> {
    let columns = vec![
        Column::text("Given").full(),
        Column::figures("Amount").label("Amount"),
        Column::figures("Left").label("Left"),
        Column::text("Last day"),
        Column::text("State"),
    ];
    let empty = Empty::new(
        "gift",
        "No credit given",
        "Credit that is given is used before paid money, the soonest to expire first.",
    );
    let mut table = Table::new("Credit given", columns, empty);
    for grant in credit.into_iter().flat_map(|credit| credit.grants.iter().rev()) {
        let last = match grant.expires_at {
            // It ends at midnight: the day before is the last one.
            Some(at) => day(civil_day(at - chrono::TimeDelta::seconds(1), zone)?),
            None => "Never".to_owned(),
        };
        let is_over = grant.expires_at.is_some_and(|at| at <= member.now);
        let badge = match (grant.left.is_zero(), grant.expired.is_zero(), is_over) {
            (true, true, _) => Badge::new("Used", Tone::Plain),
            (_, false, _) => Badge::new(format!("{} expired", grant.expired.human()), Tone::Soon),
            (false, true, true) => Badge::new("Expires now", Tone::Soon),
            (false, true, false) => Badge::new("Left", Tone::Good),
        };
        table.row(vec![
            Cell::name(format::stamp(grant.granted_at, &member.zone).text),
            Cell::figure(grant.amount.human()),
            Cell::figure(grant.left.human()),
            Cell::text(last),
            Cell::none().with(badge),
        ]);
    }
    Ok(table)
}

fn credit_form(member: &Member, wallet: &Wallet, given: &Given, faults: &Faults) -> Move {
    let symbol = wallet.balance.currency().symbol();
    Move {
        title: "Give credit",
        text: "It is used before paid money. What is left after its last day is posted back.",
        action: member.audience.customer_credits(wallet.customer_id),
        fields: vec![
            Field::figure("credit", "Amount", given.get("credit")).before(symbol).error(faults.at("credit")).required(),
            Field::text("memo", "Reason", given.get("memo"))
                .hint("Stands in the wallet: Welcome credit")
                .error(faults.at("memo"))
                .required(),
            Field::text("last_day", "Last day", given.get("last_day"))
                .control(Control::Date)
                .hint("Empty: it does not expire")
                .error(faults.at("last_day")),
        ],
        hidden: vec![("key", given.or("key", &Uuid::now_v7().to_string()).to_owned())],
        button: "Give it".into(),
        is_usual: true,
    }
}

fn limit_form(member: &Member, wallet: &Wallet, given: &Given, faults: &Faults) -> PageResult<Move> {
    let now = wallet.floor.checked_neg()?.format_plain();
    Ok(Move {
        title: "Credit limit",
        text: "How far below zero calls may take the balance.",
        action: member.audience.customer_credit_limit(wallet.customer_id),
        fields: vec![
            Field::figure("limit", "Amount", given.or("limit", &now))
                .before(wallet.balance.currency().symbol())
                .error(faults.at("limit"))
                .required(),
        ],
        hidden: Vec::new(),
        button: "Set the limit".into(),
        is_usual: false,
    })
}

/// `POST /admin/customers/{customer_id}/wallet/credits`
pub async fn give(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, WalletPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let customer = find(&tx, &path).await?;
    let zone = &member.session.organisation.time_zone;
    let mut faults = Faults::default();
    let amount = faults.keep("credit", read::money(given.get("credit"), customer.currency));
    let memo = faults.keep("memo", text(given.get("memo")));
    if given.get("memo").chars().count() > MEMO_MAX {
        faults.say("memo", format!("Must not be longer than {MEMO_MAX} characters."));
    }
    let last_day = match given.get("last_day") {
        "" => Some(None),
        text => faults.keep("last_day", read::day(text)).map(Some),
    };
    let (Some(amount), Some(memo), Some(last_day), true) = (amount, memo, last_day, faults.none()) else {
        return Ok(again(page(&member, &tx, &customer, &given, &faults).await?));
    };
    let after = last_day.and_then(|on| on.checked_add_days(Days::new(1)));
    let expires_at = after.map(|on| midnight(on, zone)).transpose()?;
    let key = match given.get("key") {
        "" => Uuid::now_v7().to_string(),
        key => key.chars().take(MEMO_MAX).collect(),
    };
    let promotion = Promotion { customer_id: customer.id, amount, expires_at, key, memo };
    let mut is_new = false;
    match ledger::grant(&tx, &promotion, member.now).await {
        Ok(posted) => is_new = posted.is_new,
        Err(error @ LedgerError::AmountMustBePositive(_)) => faults.say("credit", sentence(error)),
        Err(LedgerError::PromotionMustNotHaveExpired(_)) => faults.say("last_day", "Must not lie in the past."),
        Err(error) => return Err(error.into()),
    }
    if !faults.none() {
        return Ok(again(page(&member, &tx, &customer, &given, &faults).await?));
    }
    if !is_new {
        let said = "This form has given its credit already, and nothing was added. Open the page anew to give more.";
        return Ok(Either::Left(see_other(member.audience.customer_wallet(customer.id)).warning(said)));
    }
    let payload = json!({ "amount": amount.to_string(), "memo": promotion.memo, "expires_at": expires_at });
    tenant::record_audit(&tx, &member.actor(), "wallet.credit", &customer.id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let notice = format!("{} is in the wallet of {}.", amount.human(), customer.name);
    Ok(Either::Left(see_other(member.audience.customer_wallet(customer.id)).notice(notice)))
}

/// `POST /admin/customers/{customer_id}/wallet/credit-limit`
pub async fn limit(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, WalletPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let customer = find(&tx, &path).await?;
    let mut faults = Faults::default();
    let Some(limit) = faults.keep("limit", read::money(given.get("limit"), customer.currency)) else {
        return Ok(again(page(&member, &tx, &customer, &given, &faults).await?));
    };
    match ledger::set_floor(&tx, customer.id, limit.checked_neg()?, member.now).await {
        Ok(()) => {}
        Err(LedgerError::WalletMustKeepItsFloor) => {
            // The transaction is lost with the refusal.
            drop(tx);
            let tx = member.tx().await?;
            faults.say("limit", "Less than what is used already, calls that run included.");
            return Ok(again(page(&member, &tx, &customer, &given, &faults).await?));
        }
        Err(error) => return Err(error.into()),
    }
    let payload = json!({ "limit": limit.to_string() });
    tenant::record_audit(&tx, &member.actor(), "wallet.credit_limit", &customer.id.to_string(), payload, member.now)
        .await?;
    tx.commit().await?;
    let notice = format!("The credit limit of {} is {}.", customer.name, limit.human());
    Ok(Either::Left(see_other(member.audience.customer_wallet(customer.id)).notice(notice)))
}
