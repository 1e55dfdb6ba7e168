//! The life of a subscription by the clock: trial, conversion, renewal, loyalty, overdue, expiry. Each is told once.

use crate::world::*;
use SubscriptionStatus::{Active, Cancelled, Expired, PastDue, Paused, Scheduled, Trial};
use chrono::{DateTime, Utc};
use db::{CustomerId, PlanVersionId, SubscriptionId, TenantTx};
use money::Currency;
use subscription::*;

const NOBODY: [CustomerId; 0] = [];

pub async fn clock(tx: &TenantTx, can_pay: &[CustomerId], now: DateTime<Utc>) -> Looked {
    let due = due(tx, 100, now).await.unwrap();
    look(tx, &due, &can_pay.iter().copied().collect(), now).await.unwrap()
}

pub async fn read(tx: &TenantTx, id: SubscriptionId) -> History {
    history(tx, id).await.unwrap().unwrap()
}

fn plan_of(terms: NewPlanVersion) -> NewPlanVersion {
    NewPlanVersion { components: vec![flat("platform", "49")], ..terms }
}

pub fn monthly() -> NewPlanVersion {
    plan_of(NewPlanVersion::monthly(Currency::EUR, vec![]))
}

pub async fn tries(world: &World, terms: NewPlanVersion) -> (CustomerId, SubscriptionId, PlanVersionId) {
    let version = world.version_with("basic", false, terms).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let starts = "2026-03-02T09:00:00Z";
    let id = subscribe(&tx, &NewSubscription { trial: true, ..begins(customer, version, starts) }, at(starts))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (customer, id, version)
}

#[test]
fn every_transition_is_in_one_table() {
    let version = PlanVersionId::new();
    let changes = [
        Change::Plan { version, seats: None },
        Change::Pause,
        Change::Resume,
        Change::Cancel { credit: false },
        Change::Reactivate,
        Change::EndTrial,
    ];
    let [plan, pause, resume, cancel, reactivate, end_trial] = changes.each_ref().map(Cause::Asked);
    let (stays, no) = (Some, None);
    #[rustfmt::skip]
    let table = [
        // before      plan              pause          resume         cancel            reactivate     end_trial
        (Scheduled, [stays(Scheduled),  no,            no,            Some(Cancelled),  no,            no]),
        (Trial,     [stays(Trial),      Some(Paused),  no,            Some(Cancelled),  no,            Some(Active)]),
        (Active,    [stays(Active),     Some(Paused),  no,            Some(Cancelled),  no,            no]),
        (PastDue,   [stays(PastDue),    Some(Paused),  no,            Some(Cancelled),  no,            no]),
        (Paused,    [stays(Paused),     no,            Some(Active),  Some(Cancelled),  no,            no]),
        (Cancelled, [no,                no,            no,            no,               Some(Active),  no]),
        (Expired,   [no,                no,            no,            no,               Some(Active),  no]),
    ];
    for (before, expected) in table {
        let found = [plan, pause, resume, cancel, reactivate, end_trial].map(|cause| status_after(before, &cause));
        assert_eq!(found, expected, "{before}");
    }
    #[rustfmt::skip]
    let table = [
        // before      begun          trial over     terms over      overdue          paid up
        (Scheduled, [Some(Active),  no,            Some(Expired),  no,              no]),
        (Trial,     [no,            Some(Active),  Some(Expired),  stays(Trial),    stays(Trial)]),
        (Active,    [no,            no,            Some(Expired),  Some(PastDue),   stays(Active)]),
        (PastDue,   [no,            no,            Some(Expired),  stays(PastDue),  Some(Active)]),
        (Paused,    [no,            no,            Some(Expired),  stays(Paused),   stays(Paused)]),
        (Cancelled, [no,            no,            no,             no,              no]),
        (Expired,   [no,            no,            no,             no,              no]),
    ];
    for (before, expected) in table {
        let causes = [Cause::Begun, Cause::TrialOver, Cause::TermsOver, Cause::Overdue, Cause::PaidUp];
        assert_eq!(causes.map(|cause| status_after(before, &cause)), expected, "{before}");
    }
}

#[tokio::test]
async fn a_trial_reminds_three_days_before_it_ends_and_goes_on_by_itself() {
    let world = World::new().await;
    let (customer, id, _) = tries(&world, NewPlanVersion { trial_days: 14, ..monthly() }).await;
    let tx = world.tx().await;
    // 2 March and 13 more days: the first day after it is 16 March, three days before that is 13 March
    assert_eq!(read(&tx, id).await.subscription.trial_ends_at, Some(berlin("2026-03-16")));
    assert_eq!(clock(&tx, &NOBODY, at("2026-03-12T22:59:59Z")).await, Looked::default());
    let reminded = clock(&tx, &NOBODY, berlin("2026-03-13")).await;
    let ends = NoticeKind::TrialEnding { ends_at: berlin("2026-03-16"), end: TrialEnd::Convert };
    assert_eq!((reminded.notices[0].customer_id, reminded.notices[0].kind), (customer, ends));
    assert_eq!(reminded.notices[0].plan, "basic");
    // looked at again, by another worker or later on: nothing is told twice
    assert_eq!(clock(&tx, &NOBODY, at("2026-03-14T00:00:00Z")).await, Looked::default());
    assert!(due(&tx, 100, at("2026-03-16T08:00:00Z")).await.unwrap()[0].trial_is_over);
    let converted = clock(&tx, &NOBODY, at("2026-03-16T08:00:00Z")).await;
    assert_eq!(converted.notices[0].kind, NoticeKind::Converted);
    assert_eq!(read(&tx, id).await.status_at(at("2026-03-16T08:00:00Z")), Active);
    assert_eq!(
        timeline(&tx, customer).await[1..],
        [
            "03-02 subscribed: Subscribed to basic (version 1).",
            "03-12 trial_ending: The trial of basic ends on 2026-03-16.", // 13 March 00:00 in Berlin is the 12th in UTC
            "03-15 trial_ended: The trial of basic is over.",
        ]
    );
}

#[tokio::test]
async fn what_was_agreed_for_one_subscription_stands_above_its_plan_and_past_due_lasts_until_there_is_a_means() {
    let world = World::new().await;
    // The plan would go on without a means of payment; this one would not.
    let (customer, id, _) = tries(&world, NewPlanVersion { trial_days: 7, ..monthly() }).await;
    let tx = world.tx().await;
    agree_trial_end(&tx, id, TrialEnd::PastDue, at("2026-03-02T12:00:00Z")).await.unwrap();
    let ended = clock(&tx, &NOBODY, at("2026-03-11T12:00:00Z")).await;
    assert_eq!(ended.notices.last().map(|notice| notice.kind), Some(NoticeKind::MethodMissing));
    let since = read(&tx, id).await;
    assert_eq!(since.subscription.past_due_since, Some(berlin("2026-03-09")));
    assert_eq!(since.status_at(at("2026-03-11T12:00:00Z")), PastDue);
    // No invoice is overdue: that alone does not end it.
    set_past_due(&tx, &[], at("2026-03-12T12:00:00Z")).await.unwrap();
    assert_eq!(read(&tx, id).await.status_at(at("2026-03-12T12:00:00Z")), PastDue);
    assert_eq!(customers_without_method(&tx).await.unwrap(), [customer]);
    method_arrived(&tx, customer, at("2026-03-13T12:00:00Z")).await.unwrap();
    assert_eq!(read(&tx, id).await.status_at(at("2026-03-13T12:00:00Z")), Active);
    assert_eq!(customers_without_method(&tx).await.unwrap(), []);
    let late = agree_trial_end(&tx, id, TrialEnd::Convert, at("2026-03-13T12:00:00Z")).await;
    assert!(matches!(late, Err(SubscriptionError::Refused(refusal)) if refusal.rule == Rule::TrialMustRun));
}

#[tokio::test]
async fn a_trial_that_needs_a_means_of_payment_ends_without_one() {
    let strict = NewPlanVersion { trial_days: 7, trial_end: TrialEnd::Cancel, ..monthly() };
    for (pays, expected) in [(true, Active), (false, Cancelled)] {
        let world = World::new().await;
        let (customer, id, _) = tries(&world, strict.clone()).await;
        let tx = world.tx().await;
        // found late, two days after: it ends where the trial ended
        let now = at("2026-03-11T12:00:00Z");
        let can_pay: Vec<CustomerId> = pays.then_some(customer).into_iter().collect();
        clock(&tx, &can_pay, now).await;
        let after = read(&tx, id).await;
        assert_eq!(after.status_at(now), expected);
        assert_eq!(after.ended.map(|ended| ended.at), (!pays).then(|| berlin("2026-03-09")));
        let told: Vec<String> = timeline(&tx, customer).await.split_off(3);
        if pays {
            assert_eq!(told, ["03-08 trial_ended: The trial of basic is over."]);
        } else {
            assert_eq!(told[1], "03-08 cancelled: Without a means of payment, the subscription ends with its trial.");
            assert_eq!(told[2], "03-08 ended: basic has ended.");
        }
    }
}

#[tokio::test]
async fn a_customer_has_one_trial_of_a_plan_and_may_end_it_early() {
    let world = World::new().await;
    let (customer, id, version) = tries(&world, monthly()).await;
    let other = world.version_with("other", false, monthly()).await;
    let (tx, now) = (world.tx().await, at("2026-03-05T12:00:00Z"));
    change(&tx, id, &Change::EndTrial, When::Now, "Ann", now).await.unwrap();
    assert_eq!(read(&tx, id).await.subscription.trial_ends_at, Some(now));
    assert_eq!(read(&tx, id).await.status_at(now), Active);
    change(&tx, id, &Change::Cancel { credit: false }, When::Now, "Ann", now).await.unwrap();
    let again = |version| NewSubscription { trial: true, ..begins(customer, version, "2026-04-01T12:00:00Z") };
    assert_eq!(refused(subscribe(&tx, &again(version), now).await), is("trial", "one_trial_per_plan", "basic"));
    subscribe(&tx, &again(other), now).await.unwrap();
}

#[tokio::test]
async fn a_trial_that_is_ended_early_ends_as_its_plan_says_where_nobody_can_pay() {
    let world = World::new().await;
    let strict = NewPlanVersion { trial_days: 7, trial_end: TrialEnd::Cancel, ..monthly() };
    let (_, id, _) = tries(&world, strict).await;
    let (tx, now) = (world.tx().await, at("2026-03-05T12:00:00Z"));
    change(&tx, id, &Change::EndTrial, When::Now, "Ann", now).await.unwrap();
    clock(&tx, &NOBODY, now).await;
    assert_eq!(read(&tx, id).await.ended.map(|ended| ended.at), Some(now));
}

#[tokio::test]
async fn of_two_trials_that_begin_at_once_one_is_refused() {
    let world = World::new().await;
    let version = world.version_with("basic", false, monthly()).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (db, tenant) = (world.database.db.clone(), world.tenant);
        tasks.spawn(async move {
            let tx = db.tenant(tenant).await.unwrap();
            let new = NewSubscription { trial: true, ..begins(customer, version, "2026-03-02T09:00:00Z") };
            let begun = subscribe(&tx, &new, new.starts_at).await.is_ok();
            tx.commit().await.unwrap();
            u32::from(begun)
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<u32>(), 1);
}

#[tokio::test]
async fn terms_of_several_months_renew_and_loyalty_is_told_before_and_after() {
    let world = World::new().await;
    let crm = world.version_with("crm", true, NewPlanVersion::monthly(Currency::EUR, vec![flat("crm", "9")])).await;
    let loyalty = vec![
        LoyaltyRule { after_months: 3, reward: LoyaltyReward::PercentOff(percent("5")) },
        LoyaltyRule { after_months: 6, reward: LoyaltyReward::PercentOff(percent("10")) },
        LoyaltyRule { after_months: 6, reward: LoyaltyReward::FreeAddOn(crm) },
        LoyaltyRule { after_months: 7, reward: LoyaltyReward::Feature("premium_support".into()) },
    ];
    let terms = NewPlanVersion { term_months: 3, loyalty, ..monthly() };
    let version = world.version_with("quarterly", false, terms).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let starts = "2026-01-01T09:00:00Z";
    let id = subscribe(&tx, &begins(customer, version, starts), at(starts)).await.unwrap();
    change(&tx, id, &Change::AddOn { version: crm }, When::Now, "Ann", at(starts)).await.unwrap();

    let ahead = read(&tx, id).await;
    let kinds = |milestones: Vec<Milestone>| {
        milestones
            .iter()
            .map(|found| format!("{} {}", found.at.format("%m-%d"), found.kind.event()))
            .collect::<Vec<_>>()
    };
    let shown = ahead.milestones(at("2026-01-02T00:00:00Z"), at("2026-08-15T00:00:00Z")).unwrap();
    // bounds are midnights in Berlin, hence the day before in UTC
    assert_eq!(
        kinds(shown),
        [
            "02-28 loyalty_ahead",
            "03-31 loyalty",
            "03-31 renewed",
            "05-31 loyalty_ahead",
            "05-31 loyalty_ahead",
            "06-30 loyalty",
            "06-30 loyalty",
            "06-30 loyalty_ahead",
            "06-30 renewed",
            "07-31 loyalty",
        ]
    );
    let percents: Vec<String> = ["2026-03-15", "2026-04-15", "2026-07-15"]
        .map(|day| ahead.loyalty_percent_in(&ahead.period_at(berlin(day)).unwrap()).to_string())
        .to_vec();
    assert_eq!(percents, ["0%", "5%", "10%"]);

    for day in ["2026-03-01", "2026-04-01", "2026-06-01", "2026-07-01", "2026-08-01"] {
        clock(&tx, &NOBODY, at(&format!("{day}T12:00:00Z"))).await;
    }
    assert_eq!(
        timeline(&tx, customer).await[3..],
        [
            "02-28 loyalty_ahead: In a month, after 3 months: 5% off fixed fees.",
            "03-31 loyalty: Thank you for 3 months: 5% off fixed fees.",
            "03-31 renewed: quarterly was renewed for 3 months.",
            "05-31 loyalty_ahead: In a month, after 6 months: 10% off fixed fees.",
            "05-31 loyalty_ahead: In a month, after 6 months: crm free of charge.",
            "06-30 loyalty: Thank you for 6 months: 10% off fixed fees.",
            "06-30 loyalty: Thank you for 6 months: crm free of charge.",
            "06-30 loyalty_ahead: In a month, after 7 months: premium support.",
            "06-30 renewed: quarterly was renewed for 3 months.",
            "07-31 loyalty: Thank you for 7 months: premium support.",
        ]
    );
    let after = read(&tx, id).await;
    let crms: Vec<_> = after.attached.iter().filter(|part| part.is_add_on).collect();
    assert_eq!(
        crms.iter().map(|part| (part.is_free, part.from, part.until)).collect::<Vec<_>>(),
        [(false, at(starts), Some(berlin("2026-07-01"))), (true, berlin("2026-07-01"), None)]
    );
    assert!(!after.features_at(at("2026-07-15T00:00:00Z")).unwrap().contains("premium_support"));
    assert!(after.features_at(at("2026-08-15T00:00:00Z")).unwrap().contains("premium_support"));
}

#[tokio::test]
async fn a_gift_to_come_goes_with_the_plan_that_would_have_given_it() {
    let world = World::new().await;
    let crm = world.version_with("crm", true, NewPlanVersion::monthly(Currency::EUR, vec![flat("crm", "9")])).await;
    let loyalty = vec![LoyaltyRule { after_months: 2, reward: LoyaltyReward::FreeAddOn(crm) }];
    let loyal = world.version_with("loyal", false, NewPlanVersion { loyalty, ..monthly() }).await;
    let plain = world.version_with("plain", false, monthly()).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let starts = "2026-01-01T09:00:00Z";
    let id = subscribe(&tx, &begins(customer, loyal, starts), at(starts)).await.unwrap();
    let now = at("2026-02-10T12:00:00Z");
    clock(&tx, &NOBODY, now).await;
    let has_gift =
        async |day: &str| read(&tx, id).await.attached.iter().any(|part| part.is_free && part.holds(berlin(day)));
    assert!(has_gift("2026-03-01").await);
    let moved = change(&tx, id, &Change::Plan { version: plain, seats: None }, When::Now, "Ann", now).await.unwrap();
    assert!(!has_gift("2026-03-01").await);
    // undone: the clock gives it where it is due
    undo_change(&tx, moved, "Ann", now).await.unwrap();
    clock(&tx, &NOBODY, at("2026-03-01T12:00:00Z")).await;
    assert!(has_gift("2026-03-01").await);
}

#[tokio::test]
async fn a_fixed_term_expires_and_may_be_prolonged_or_reactivated() {
    let world = World::new().await;
    let terms = NewPlanVersion { term_months: 3, fixed_terms: Some(2), ..monthly() };
    let half_year = world.version_with("half-year", false, terms).await;
    let open_end = world.version_with("open-end", false, monthly()).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let starts = "2026-01-01T09:00:00Z";
    let id = subscribe(&tx, &begins(customer, half_year, starts), at(starts)).await.unwrap();
    // two terms of three months: January to June
    let end = berlin("2026-07-01");
    let before = read(&tx, id).await;
    assert_eq!((before.status_at(end - chrono::TimeDelta::seconds(1)), before.status_at(end)), (Active, Expired));
    assert_eq!(all_active(&tx, end).await.unwrap(), []);
    let goes_on = before.with_change(
        &Change::Plan { version: open_end, seats: None },
        plan_version(&tx, open_end).await.unwrap().as_ref(),
        end - chrono::TimeDelta::days(30),
    );
    assert_eq!(goes_on.unwrap().ended, None);

    let late = at("2026-07-20T12:00:00Z");
    clock(&tx, &NOBODY, late).await;
    let told = timeline(&tx, customer).await;
    assert_eq!(
        told[2..],
        ["03-31 renewed: half-year was renewed for 3 months.", "06-30 expired: The fixed term of half-year has ended."]
    );
    change(&tx, id, &Change::Reactivate, When::Now, "Ann", late).await.unwrap();
    let after = read(&tx, id).await;
    assert_eq!([at("2026-07-10T00:00:00Z"), late].map(|instant| after.is_served_at(instant)), [false, true]);
    // its six months begin anew with the period that holds the reactivation: July to December
    assert_eq!(after.ended.map(|ended| ended.at), Some(berlin("2027-01-01")));
}

#[tokio::test]
async fn who_owes_is_past_due_until_it_is_paid() {
    let world = World::new().await;
    let version = world.version_with("basic", false, monthly()).await;
    let (anna, ben) = (world.customer("C-1", "Europe/Berlin").await, world.customer("C-2", "Europe/Berlin").await);
    let tx = world.tx().await;
    let starts = "2026-01-01T09:00:00Z";
    let id = subscribe(&tx, &begins(anna, version, starts), at(starts)).await.unwrap();
    let other = subscribe(&tx, &begins(ben, version, starts), at(starts)).await.unwrap();
    let (due, now) = (at("2026-03-15T00:00:00Z"), at("2026-03-16T00:00:00Z"));
    for _ in 0..2 {
        set_past_due(&tx, &[(anna, due)], now).await.unwrap();
    }
    assert_eq!((read(&tx, id).await.status_at(now), read(&tx, other).await.status_at(now)), (PastDue, Active));
    for _ in 0..2 {
        set_past_due(&tx, &[], at("2026-03-20T00:00:00Z")).await.unwrap();
    }
    assert_eq!(read(&tx, id).await.status_at(now), Active);
    let told: Vec<String> = timeline(&tx, anna).await.split_off(2);
    assert_eq!(
        told,
        [
            "03-15 past_due: An invoice is overdue: the subscription is past due.",
            "03-20 paid_up: Everything that was overdue is paid: the subscription is active again.",
        ]
    );
}

#[tokio::test]
async fn a_subscription_made_for_later_begins_by_the_clock() {
    let world = World::new().await;
    let version = world.version_with("basic", false, monthly()).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let id =
        subscribe(&tx, &begins(customer, version, "2026-05-01T09:00:00Z"), at("2026-04-10T09:00:00Z")).await.unwrap();
    assert_eq!(read(&tx, id).await.status_at(at("2026-04-20T09:00:00Z")), Scheduled);
    clock(&tx, &NOBODY, at("2026-05-01T10:00:00Z")).await;
    assert_eq!(timeline(&tx, customer).await[2..], ["05-01 begins: basic begins."]);
}

#[tokio::test]
async fn two_workers_that_look_at_once_tell_a_thing_once() {
    let world = World::new().await;
    let (customer, ..) = tries(&world, monthly()).await;
    let now = at("2026-03-20T08:00:00Z");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (db, tenant) = (world.database.db.clone(), world.tenant);
        tasks.spawn(async move {
            let tx = db.tenant(tenant).await.unwrap();
            clock(&tx, &NOBODY, now).await;
            tx.commit().await.unwrap();
        });
    }
    tasks.join_all().await;
    let tx = world.tx().await;
    assert_eq!(timeline(&tx, customer).await.len(), 4); // created, subscribed, trial_ending, trial_ended
}
