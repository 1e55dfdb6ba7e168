//! What happens without anybody asking: usage moves up the tree, hours are swept and sums folded, leases and seats expire, runs go on.
//! Every step may run twice and in several processes at once; each piece has its natural key or is claimed by row lock.

use crate::app::App;
use crate::{life, recharge};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use db::{Db, PlatformReason, TenantId};
use invoicing::Phase;
use std::time::Duration;
use tenant::Organisation;
use tokio_util::sync::CancellationToken;

/// A seat whose page has not been heard of for this long is closed.
pub const SEAT_HEARTBEAT_MISSED: TimeDelta = TimeDelta::seconds(90);
/// Customers that one transaction of a run takes.
const RUN_BLOCK: u64 = 50;
/// A month is drafted by itself this long after it has ended: its last calls end, and their usage moves up the tree.
pub const MONTH_SETTLES: TimeDelta = usage_metering::PERIOD_SETTLES;
/// How long one tenant's file is worked at before the next one's turn.
const IMPORT_TURN: Duration = Duration::from_secs(10);
/// What waits in suspense for longer wants a person, and the log says so this often.
const SUSPENSE_TOO_OLD: TimeDelta = TimeDelta::hours(24);
const SUSPENSE_ALARM_EVERY: TimeDelta = TimeDelta::hours(1);
/// How often late invoices are looked for.
const PAST_DUE_EVERY: TimeDelta = TimeDelta::minutes(1);
/// Usage partitions kept ready, this month's included.
const PARTITIONS_AHEAD_MONTHS: u32 = 3;

/// Works until told to stop: a round each second, and at once again while there is work.
pub async fn work(app: App, events_kept_months: u32, stop: CancellationToken) {
    let (mut partitioned_on, mut retired_on) = (None, None);
    let mut dunned_at: Option<DateTime<Utc>> = None;
    let mut alarmed_at: Option<DateTime<Utc>> = None;
    while !stop.is_cancelled() {
        let today = app.clock.now().date_naive();
        if partitioned_on != Some(today) {
            match keep_partitions(&app.db, today).await {
                Ok(()) => partitioned_on = Some(today),
                Err(error) => {
                    tracing::error!(%error, "Partitions ahead could not be made; usage goes to the one that takes all")
                }
            }
        }
        if retired_on != Some(today) {
            // Once a day, whatever comes of it: what could not leave today leaves tomorrow.
            retired_on = Some(today);
            if let Err(error) = retire(&app.db, events_kept_months, app.clock.now()).await {
                tracing::error!(%error, "Old events or keys could not be taken away and stay for another day");
            }
        }
        let now = app.clock.now();
        if dunned_at.is_none_or(|at| now - at >= PAST_DUE_EVERY) {
            match past_due(&app, now).await {
                Ok(()) => dunned_at = Some(now),
                Err(error) => {
                    tracing::error!(%error, "Who is past due could not be found and will be looked for again")
                }
            }
        }
        if alarmed_at.is_none_or(|at| now - at >= SUSPENSE_ALARM_EVERY) {
            match old_suspense(&app.db, now).await {
                Ok(_) => alarmed_at = Some(now),
                Err(error) => {
                    tracing::error!(%error, "What waits in suspense could not be looked at and will be again")
                }
            }
        }
        let busy = match round(&app).await {
            Ok(busy) => busy,
            Err(error) => {
                tracing::error!(%error, "A worker round failed and will be repeated");
                false
            }
        };
        if !busy {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }
}

/// Works through files of call records until told to stop, beside everything else: they may be long.
pub async fn work_imports(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let busy = match import_round(&app, &|| !stop.is_cancelled()).await {
            Ok(busy) => busy,
            Err(error) => {
                tracing::error!(%error, "Files of call records could not be looked for and will be again");
                false
            }
        };
        if !busy {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }
}

/// One turn for each tenant's oldest file that waits; true when there may be more. A turn is short, so that a large file does
/// not keep the others' waiting.
pub async fn import_round(app: &App, goes_on: &(dyn Fn() -> bool + Sync)) -> anyhow::Result<bool> {
    let mut busy = false;
    for organisation in organisations(&app.db).await? {
        let now = app.clock.now();
        let tx = app.db.tenant(organisation.id).await?;
        let due = usage_metering::due_import(&tx, now).await?;
        tx.commit().await?;
        let Some(id) = due else { continue };
        let began = tokio::time::Instant::now();
        let in_turn = || began.elapsed() < IMPORT_TURN && goes_on();
        let clock = || app.clock.now();
        match call_control::work_import(&app.db, organisation.id, id, &clock, &in_turn).await {
            Ok(_) => busy = true,
            Err(error) => {
                tracing::error!(tenant.id = %organisation.id, import.id = %id, %error, "A file of call records was left and will be gone on with");
            }
        }
    }
    Ok(busy)
}

/// One round over all tenants with work due; true when there may be more.
pub async fn round(app: &App) -> anyhow::Result<bool> {
    let now = app.clock.now();
    let mut busy = false;
    let organisations = organisations(&app.db).await?;
    // One tenant's trouble must not stop the others.
    let mut take = |tenant_id: TenantId, worked: anyhow::Result<bool>| match worked {
        Ok(more) => busy |= more,
        Err(error) => tracing::error!(tenant.id = %tenant_id, %error, "A tenant's work failed and will be repeated"),
    };
    for organisation in &organisations {
        take(organisation.id, tenant_round(&app.db, organisation.id, now).await);
    }
    // Only then: what is drafted has moved up to its seller before.
    for organisation in &organisations {
        take(organisation.id, bill(&app.db, organisation, now).await);
    }
    Ok(busy)
}

/// Marks the subscriptions of those who owe what was due, in every book. Due dates are days: now and then is enough.
pub async fn past_due(app: &App, now: DateTime<Utc>) -> anyhow::Result<()> {
    for organisation in organisations(&app.db).await? {
        let tx = app.db.tenant(organisation.id).await?;
        life::fall_due(&tx, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Says in the log what has waited in suspense for more than a day, by book and cause; how many causes.
pub async fn old_suspense(db: &Db, now: DateTime<Utc>) -> anyhow::Result<usize> {
    let mut old = 0;
    for organisation in organisations(db).await? {
        let tx = db.tenant(organisation.id).await?;
        for waits in usage_metering::suspense_summary(&tx).await? {
            if now - waits.oldest_at > SUSPENSE_TOO_OLD {
                old += 1;
                let (cause, waiting, hours) =
                    (waits.cause.as_str(), waits.waiting, (now - waits.oldest_at).num_hours());
                tracing::warn!(tenant.id = %organisation.id, cause, waiting, oldest_hours = hours, "Usage waits in suspense for more than a day");
            }
        }
    }
    Ok(old)
}

/// Usage of the coming months finds its partition made.
async fn keep_partitions(db: &Db, today: NaiveDate) -> anyhow::Result<()> {
    let tx = db.platform(PlatformReason::FindDueWork).await?;
    usage_metering::ensure_partitions(&tx, today, PARTITIONS_AHEAD_MONTHS).await?;
    tx.commit().await?;
    Ok(())
}

/// What is old leaves: events by whole months, keys when nothing could repeat them any more. Months are detached in a transaction
/// of their own, short and last: whoever counts usage waits for it.
pub async fn retire(db: &Db, events_kept_months: u32, now: DateTime<Utc>) -> anyhow::Result<()> {
    let tx = db.platform(PlatformReason::FindDueWork).await?;
    let keys = usage_metering::prune_keys(&tx, now).await?;
    tx.commit().await?;
    let tx = db.platform(PlatformReason::FindDueWork).await?;
    let kept_from = usage_metering::retire_events(&tx, events_kept_months, now).await?;
    tx.commit().await?;
    tracing::info!(keys, %kept_from, "Old keys and months of usage were taken away");
    Ok(())
}

pub(crate) async fn organisations(db: &Db) -> anyhow::Result<Vec<Organisation>> {
    let tx = db.platform(PlatformReason::FindDueWork).await?;
    let organisations = tenant::organisations(&tx).await?;
    tx.commit().await?;
    Ok(organisations)
}

async fn tenant_round(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> anyhow::Result<bool> {
    // A transaction of its own: wallets are locked in one order, and the leases below lock theirs.
    let tx = db.tenant(tenant_id).await?;
    ledger::expire_promotions(&tx, now).await?;
    ledger::decide_recharges(&tx, now).await?;
    recharge::round(&tx, now).await?;
    tx.commit().await?;
    let moved = call_control::deliver_upward(db, tenant_id, now).await?;
    call_control::deliver_seats_upward(db, tenant_id, now).await?;
    subscription::deliver_collections(db, tenant_id, now).await?;
    invoicing::deliver_settlements(db, tenant_id, now).await?;
    let tx = db.tenant(tenant_id).await?;
    ledger::expire_leases(&tx, now).await?;
    tenant::close_missed_seats(&tx, now - SEAT_HEARTBEAT_MISSED, now).await?;
    tenant::link_audit(&tx, now).await?;
    tenant::forget_old_api_replies(&tx, now).await?;
    call_control::forget_old_attempts(&tx, now).await?;
    usage_metering::forget_old_draft(&tx, now).await?;
    tx.commit().await?;
    let tx = db.tenant(tenant_id).await?;
    let swept = usage_metering::sweep(&tx, now).await?;
    let folded = usage_metering::fold(&tx, now).await?;
    tx.commit().await?;
    let tx = db.tenant(tenant_id).await?;
    let lived = life::live(&tx, now).await?;
    tx.commit().await?;
    Ok(moved > 0 || swept > 0 || folded > 0 || lived)
}

/// Starts the run of a month that has ended, and takes an open run further.
async fn bill(db: &Db, organisation: &Organisation, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let tx = db.tenant(organisation.id).await?;
    let until_on = month_ended(now, &organisation.time_zone)?;
    let scheduled = invoicing::schedule_run(&tx, until_on, now).await?;
    tx.commit().await?;
    // A person looks at a statement before it is issued, as at the drafts of a run.
    invoicing::draft_settlements(db, organisation.id, until_on, now).await?;
    let advanced = advance_run(db, organisation.id, now).await?;
    Ok(scheduled.is_some() || advanced)
}

/// The first day after the newest month that has ended and settled in a zone.
pub fn month_ended(now: DateTime<Utc>, time_zone: &str) -> anyhow::Result<NaiveDate> {
    let on = pricing::civil_date(now - MONTH_SETTLES, time_zone)?;
    Ok(on.with_day(1).unwrap_or(on))
}

/// Takes the open invoice run one block further; true while it has more to do without a person.
async fn advance_run(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let tx = db.tenant(tenant_id).await?;
    let Some(run) = invoicing::runs(&tx, 1).await?.pop() else { return Ok(false) };
    let after = match run.phase {
        Phase::Planned | Phase::Drafting => invoicing::draft_some(&tx, run.id, RUN_BLOCK, now).await?,
        Phase::Finalising => {
            let run = invoicing::finalise_some(&tx, run.id, RUN_BLOCK, now).await?;
            // Who paid ahead has paid what is new.
            payments::allocate_all_credit(&tx).await?;
            run
        }
        // There is nothing to look at, and nothing to wait for.
        Phase::Ready if run.counts.drafted == 0 && run.counts.failed == 0 => {
            invoicing::finalise_some(&tx, run.id, RUN_BLOCK, now).await?
        }
        // A person looks before drafts become final.
        Phase::Ready | Phase::Done => return Ok(false),
    };
    tx.commit().await?;
    // Nothing more is done at once while all that is left waits for its usage to be counted, or for another worker.
    Ok(after.phase != run.phase || after.counts != run.counts)
}
