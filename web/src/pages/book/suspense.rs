//! What came in and matches nothing: by cause, with what to do; tried for nothing first, then counted or taken out for good.

use super::shell;
use super::suspense_entries;
use super::words::spoken;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{self, Faults, Given};
use crate::shell::Section;
use crate::views::book::{List, TableCard};
use crate::views::fields::Field;
use crate::views::form::{Choice, Choices, Fields, FormPart, Kept};
use crate::views::parts::{Heading, Note, PagePath, Stats};
use crate::views::subscriptions::Outcome;
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use crate::views::usage::{DecisionForm, SuspensePage};
use actix_web::web;
use call_control::RecordReplay;
use chrono::{DateTime, TimeDelta, Utc};
use db::{SubscriptionId, TenantTx};
use tenant::Role;
use usage_metering::{Correction, REPLAY_MAX, Replay, SuspenseCause, SuspenseSummary};

/// What has waited longer wants a person today.
const TOO_OLD: TimeDelta = TimeDelta::hours(24);
/// Entries that the page of a cause lists.
const SHOWN_MAX: u64 = 50;

/// Is it time that somebody looks?
pub fn is_too_old(oldest_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - oldest_at > TOO_OLD
}

/// What to do about it, in a sentence.
fn remedy(cause: SuspenseCause) -> &'static str {
    match cause {
        SuspenseCause::UnknownCustomer => "Say whose usage it is, or make the customer and try again.",
        SuspenseCause::UnknownMeter => "Define the meter and try again, or say which meter it belongs to.",
        SuspenseCause::UnknownSubscription | SuspenseCause::SeveralSubscriptions => {
            "Say which subscription is charged."
        }
        SuspenseCause::NoSubscription => {
            "Begin or resume a subscription from that day, or say whose usage it is; then try again."
        }
        SuspenseCause::Conflict => "The first stands. Ask who sent it why it changed; then take this one out.",
        SuspenseCause::AbsurdTime => "Mend the sender's clock; then take it out and have it sent anew.",
        SuspenseCause::LateUsage => {
            "Its plan leaves late usage to you: count it, and the difference is billed, or take it out."
        }
        SuspenseCause::UnknownNumber => "Give the number to this book from that day on, then try again.",
        SuspenseCause::MissingRate => "Enter the price or rate of that day, then try again.",
        SuspenseCause::BrokenSequence | SuspenseCause::NotChargeable => {
            "Each has its own reason; mend it, then try again."
        }
    }
}

/// Does what waits go on by itself once the cause is gone?
fn goes_on_by_itself(cause: SuspenseCause) -> bool {
    matches!(cause, SuspenseCause::BrokenSequence)
}

/// A decision done, on events and on recorded calls alike; given up with its transaction it was a dry run.
async fn again(
    member: &Member,
    tx: &TenantTx,
    cause: SuspenseCause,
    correction: &Correction,
) -> PageResult<(Replay, RecordReplay)> {
    let (by, now) = (member.actor(), member.now);
    let (customer, late) = (correction.customer_id, correction.takes_late);
    let records = call_control::replay_records(tx, cause, customer, late, &by, now).await?;
    let mut replay = usage_metering::replay_suspense(tx, cause, correction, &by, now).await?;
    // What went on waiting as a record was looked at twice, and waits once.
    let of_records: u64 = records.waiting.values().sum();
    let of_cause = replay.waiting.entry(cause).or_default();
    *of_cause = of_cause.saturating_sub(of_records);
    replay.tried -= of_records.min(replay.tried);
    for (still, count) in &records.waiting {
        *replay.waiting.entry(*still).or_default() += count;
    }
    replay.waiting.retain(|_, count| *count > 0);
    Ok((replay, records))
}

/// `GET /admin/suspense`
pub async fn causes(member: Member) -> PageResult<List> {
    let tx = member.tx().await?;
    let summary = usage_metering::suspense_summary(&tx).await?;
    let waiting: u64 = summary.iter().map(|waits| waits.waiting).sum();
    let title = match waiting {
        0 => "Nothing waits to be counted".to_owned(),
        n => format!("{} not counted", counted(n, "wait", "waits")),
    };
    Ok(List {
        shell: shell(&member, &tx, "In suspense", Section::Usage).await?,
        heading: Heading::new(title).facts("What comes in and matches nothing is kept here until somebody decides."),
        stats: Stats::default(),
        search: None,
        tabs: super::meters::tabs(&member, "In suspense"),
        cards: vec![TableCard { title: String::new(), all: None, table: table(&member, &summary) }],
        pager: None,
    })
}

/// "1 event waits", "5 events wait".
fn counted(n: u64, many: &str, one: &str) -> String {
    let count = i64::try_from(n).unwrap_or(i64::MAX);
    format!("{} {}", format::counted(count, "event", "events"), if n == 1 { one } else { many })
}

fn table(member: &Member, summary: &[SuspenseSummary]) -> Table {
    let columns = vec![
        Column::text("Cause"),
        Column::figures("Waiting").label("Waiting"),
        Column::text("Since"),
        Column::text("What to do").full(),
    ];
    let empty =
        Empty::new("check", "Nothing waits", "An event of an unknown customer or meter, for instance, shows here.");
    let mut table = Table::new("In suspense, by cause", columns, empty);
    for waits in summary {
        let since = Cell::text(format::stamp(waits.oldest_at, &member.zone).text);
        let is_old = is_too_old(waits.oldest_at, member.now);
        table.row(vec![
            Cell::name(spoken(waits.cause.as_str())).to(member.audience.suspense_of(waits.cause.as_str())),
            Cell::figure(format::count(i64::try_from(waits.waiting).unwrap_or(i64::MAX))),
            if is_old { since.with(Badge::new("Over a day", Tone::Wrong)) } else { since },
            Cell::text(remedy(waits.cause)),
        ]);
    }
    table
}

fn cause_of(path: &str) -> PageResult<SuspenseCause> {
    SuspenseCause::ALL.into_iter().find(|cause| cause.as_str() == path).ok_or(PageError::NotFound)
}

/// What a person decided.
enum Decision {
    Again(Correction),
    Discard(String),
}

/// `GET /admin/suspense/{cause}`
pub async fn cause(member: Member, path: web::Path<String>, given: web::Query<Given>) -> PageResult<SuspensePage> {
    let cause = cause_of(&path)?;
    let tx = member.tx().await?;
    let may_decide = member.must(Role::Billing).is_ok() && !goes_on_by_itself(cause);
    let mut faults = Faults::default();
    let decision = match may_decide && given.get("sent") == "yes" {
        true => read(&tx, cause, &given, &mut faults).await?,
        false => None,
    };
    let entries = usage_metering::suspense_of(&tx, cause, SHOWN_MAX).await?;
    let meters = usage_metering::meters(&tx).await?.into_iter().map(|meter| meter.code).collect();
    let waiting = summary_of(&tx, cause).await?;
    let title = match waiting {
        0 => format!("{}: nothing waits", spoken(cause.as_str())),
        n => format!("{}: {}", spoken(cause.as_str()), counted(n, "wait", "waits")),
    };
    let shell = shell(&member, &tx, spoken(cause.as_str()), Section::Usage).await?;
    let outcome = match decision {
        // The last thing in this transaction, which is given up: nothing has happened.
        Some(decision) => Some(outcome(&member, &tx, cause, &decision, &given).await?),
        None => None,
    };
    tx.rollback().await?;
    Ok(SuspensePage {
        shell,
        heading: Heading::new(title)
            .path(PagePath::under("In suspense", member.audience.suspense(), spoken(cause.as_str())))
            .facts(remedy(cause)),
        note: goes_on_by_itself(cause).then(|| {
            Note::plain("What waits here are calls: they are tried again by themselves once the cause is gone.")
        }),
        form: may_decide.then(|| DecisionForm {
            action: member.audience.suspense_of(cause.as_str()),
            part: form(cause, meters, &given, &faults),
        }),
        outcome,
        entries: suspense_entries::table(&member, &entries),
        back_href: member.audience.suspense(),
    })
}

async fn summary_of(tx: &TenantTx, cause: SuspenseCause) -> PageResult<u64> {
    let summary = usage_metering::suspense_summary(tx).await?;
    Ok(summary.iter().find(|waits| waits.cause == cause).map_or(0, |waits| waits.waiting))
}

fn form(cause: SuspenseCause, meters: Vec<String>, given: &Given, faults: &Faults) -> FormPart {
    let again = Choice::new("again", "Count them").note("As they came, or as you say here");
    let discard = Choice::new("discard", "Take them out").note("They are kept and count nowhere");
    let is_conflict = cause == SuspenseCause::Conflict;
    let usual = if is_conflict { "discard" } else { "again" };
    let choices = if is_conflict { vec![discard] } else { vec![again, discard] };
    let mut fields = Fields::new()
        .choices(Choices::one("do", "What is done", given.or("do", usual), choices).error(faults.at("do")));
    if !is_conflict {
        let codes = meters.into_iter().map(|code| (code.clone(), code));
        let as_told = std::iter::once((String::new(), "As they say".to_owned()));
        fields = fields
            .half(
                Field::text("customer_no", "Customer", given.get("customer_no"))
                    .hint("Its number, as C-00042; empty for whom they name")
                    .error(faults.at("customer_no")),
            )
            .half(
                Field::text("subscription", "Subscription", given.get("subscription"))
                    .hint("Its id; empty for the one that charges it")
                    .error(faults.at("subscription")),
            )
            .half(Field::choice("meter", "Meter", given.get("meter"), as_told.chain(codes)).error(faults.at("meter")));
        if cause != SuspenseCause::LateUsage {
            let late = Field::tick("late", "Also what is late for its plan", given.get("late") == "yes");
            fields = fields.half(late.hint("Where a plan leaves late usage to you"));
        }
    }
    let reason = Field::text("reason", "Reason", given.get("reason"))
        .hint("Why they count nowhere; kept beside them")
        .error(faults.at("reason"));
    FormPart { title: "Decide", text: "For all that wait for this cause.", fields: fields.whole(reason) }
}

async fn read(tx: &TenantTx, cause: SuspenseCause, given: &Given, faults: &mut Faults) -> PageResult<Option<Decision>> {
    match given.get("do") {
        "discard" => Ok(faults.keep("reason", form::text(given.get("reason"))).map(Decision::Discard)),
        "again" if cause != SuspenseCause::Conflict => {
            let mut correction = Correction::default();
            if !given.get("customer_no").is_empty() {
                let found = subscription::customer_by_no(tx, given.get("customer_no")).await?;
                correction.customer_id = found.map(|customer| customer.id);
                if correction.customer_id.is_none() {
                    faults.say("customer_no", format!("No customer has the number {}.", given.get("customer_no")));
                }
            }
            if !given.get("subscription").is_empty() {
                let id: Option<SubscriptionId> = faults.keep("subscription", form::id(given.get("subscription")));
                correction.subscription_id = id;
            }
            correction.meter = Some(given.get("meter").to_owned()).filter(|code| !code.is_empty());
            correction.takes_late = given.get("late") == "yes";
            Ok(faults.none().then_some(Decision::Again(correction)))
        }
        _ => {
            faults.say("do", "Must be one of these.");
            Ok(None)
        }
    }
}

async fn outcome(
    member: &Member,
    tx: &TenantTx,
    cause: SuspenseCause,
    decision: &Decision,
    given: &Given,
) -> PageResult<Outcome> {
    let columns = vec![Column::text("What"), Column::figures("Events"), Column::figures("Quantity").label("Quantity")];
    let mut changes = Table::new("What would happen", columns, Empty::new("check", "Nothing waits", ""));
    let (confirm, remark, is_danger) = match decision {
        Decision::Again(correction) => {
            let (replay, records) = again(member, tx, cause, correction).await?;
            tell(&mut changes, &replay, &records);
            let accepted = format::counted(events(replay.accepted), "event", "events");
            let calls = format::counted(events(records.settled), "call", "calls");
            let confirm = match (replay.accepted, records.settled) {
                (_, 0) => format!("Count {accepted}"),
                (0, _) => format!("Settle {calls}"),
                _ => format!("Count {accepted}, settle {calls}"),
            };
            (confirm, limit_of(replay.tried + records.tried), false)
        }
        Decision::Discard(reason) => {
            let by = member.actor();
            let taken = usage_metering::discard_suspense(tx, cause, reason, &by, member.now).await?;
            changes.row(vec![Cell::text("Counted nowhere"), Cell::figure(format::count(events(taken))), Cell::none()]);
            let taken_out = format::counted(events(taken), "event", "events");
            (format!("Take {taken_out} out"), limit_of(taken), true)
        }
    };
    let mut kept = given.kept();
    kept.retain(|(name, _)| ["do", "customer_no", "subscription", "meter", "late", "reason"].contains(&name.as_str()));
    Ok(Outcome {
        changes: Some(changes),
        bill: None,
        action: member.audience.suspense_decisions(cause.as_str()),
        kept: Kept(kept),
        confirm,
        is_danger,
        remark,
    })
}

fn events(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn limit_of(tried: u64) -> String {
    match tried {
        REPLAY_MAX => format!("The oldest {} at once; then the next.", format::count(events(REPLAY_MAX))),
        _ => "It is written down who decided it.".to_owned(),
    }
}

fn tell(changes: &mut Table, replay: &Replay, records: &RecordReplay) {
    if records.settled > 0 {
        let charged: Vec<String> = records.charged.iter().map(|charge| format!("{} charged", charge.human())).collect();
        let covered =
            (records.covered > 0).then(|| format!("{} covered by plans", format::count(events(records.covered))));
        let what = charged.into_iter().chain(covered).collect::<Vec<_>>().join(", ");
        changes.row(vec![
            Cell::name("Calls settled").sub(what),
            Cell::figure(format::count(events(records.settled))),
            Cell::none(),
        ]);
    }
    for (meter, (quantity, count)) in &replay.counted {
        let what = format!("Counted as {meter}");
        changes.row(vec![
            Cell::name(what),
            Cell::figure(format::count(events(*count))),
            Cell::figure(format::quantity(*quantity)),
        ]);
    }
    for (cause, count) in &replay.waiting {
        let what = format!("Go on waiting: {}", spoken(cause.as_str()).to_lowercase());
        changes.row(vec![Cell::text(what), Cell::figure(format::count(events(*count))), Cell::none()]);
    }
}

/// `POST /admin/suspense/{cause}/decisions`
pub async fn decide(member: Member, path: web::Path<String>, given: web::Form<Given>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let cause = cause_of(&path)?;
    if goes_on_by_itself(cause) {
        return Err(PageError::NotFound);
    }
    let tx = member.tx().await?;
    let mut faults = Faults::default();
    let Some(decision) = read(&tx, cause, &given, &mut faults).await? else {
        return Ok(see_other(member.audience.suspense_of(cause.as_str())).warning(faults.first()));
    };
    let by = member.actor();
    let (done, payload) = match &decision {
        Decision::Again(correction) => {
            let (replay, records) = again(&member, &tx, cause, correction).await?;
            let (accepted, settled) = (replay.accepted, records.settled);
            let waiting: u64 = replay.waiting.values().sum();
            let left = if waiting > 0 { format!(" {} on.", counted(waiting, "go", "goes")) } else { String::new() };
            let mut said = Vec::new();
            if accepted > 0 || settled == 0 {
                said.push(format!("{} counted", counted(accepted, "are", "is")));
            }
            if settled > 0 {
                let calls = format::counted(events(settled), "call is", "calls are");
                said.push(format!("{calls} settled"));
            }
            let said = format!("{}.{left}", said.join(", "));
            (
                said,
                serde_json::json!({ "accepted": accepted, "settled": settled, "waiting": waiting, "correction": format!("{correction:?}") }),
            )
        }
        Decision::Discard(reason) => {
            let taken = usage_metering::discard_suspense(&tx, cause, reason, &by, member.now).await?;
            let said = format!("{} taken out and counted nowhere.", counted(taken, "are", "is"));
            (said, serde_json::json!({ "discarded": taken, "reason": reason }))
        }
    };
    tenant::record_audit(&tx, &by, "suspense.decide", cause.as_str(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.suspense()).notice(done))
}
