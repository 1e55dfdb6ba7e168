//! Runs: many customers, numbers without gaps, failures that stop nobody, and deaths in the middle.

use crate::world::{POSTPAID, PREPAID, Who, World, at, component, each, eur, lines, on, totals};
use invoicing::{DocumentFilter, DocumentKind, InvoicingError, ItemState, Phase};
use money::Currency;
use pricing::Price;
use std::collections::BTreeSet;
use subscription::{Component, ComponentKind, NewPlanVersion};

fn fee() -> Vec<Component> {
    vec![component("fee", ComponentKind::Flat, None, each("10"))]
}

/// Leaks names on purpose: customer numbers of a loop need the life of the program.
fn who(number: usize) -> Who {
    Who { no: Box::leak(format!("K-{number}").into_boxed_str()), ..POSTPAID }
}

async fn many(world: &World, count: usize) {
    for number in 0..count {
        let customer = world.customer(who(number)).await;
        world.subscribe(customer, "2026-03-01", fee()).await;
    }
}

async fn numbers(world: &World) -> Vec<String> {
    let tx = world.tx().await;
    let filter = DocumentFilter { limit: 1000, ..DocumentFilter::default() };
    let mut numbers: Vec<String> =
        invoicing::documents(&tx, &filter).await.unwrap().into_iter().map(|document| document.number).collect();
    numbers.sort();
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_finalisers_at_once_leave_no_gap_in_the_numbers() {
    let world = std::sync::Arc::new(World::new().await);
    many(&world, 40).await;
    let run = world.drafted("2026-04-01", "2026-04-01T08:00:00Z").await;
    assert_eq!(run.counts.drafted, 40);
    let workers = (0..8).map(|worker| {
        let world = world.clone();
        tokio::spawn(async move {
            loop {
                let tx = world.tx().await;
                let now = at("2026-04-01T09:00:00Z");
                let Ok(after) = invoicing::finalise_some(&tx, run.id, 3, now).await else { continue };
                // Every third block is lost after it took its numbers: they must be taken again.
                static BLOCKS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
                let block = BLOCKS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if block % 3 == worker % 3 && block < 12 {
                    tx.rollback().await.unwrap();
                    continue;
                }
                tx.commit().await.unwrap();
                if after.phase == Phase::Done {
                    return;
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let expected: Vec<String> = (1..=40).map(|serial| format!("NL-{serial:06}")).collect();
    assert_eq!(numbers(&world).await, expected);
    assert_eq!(world.violations().await, Vec::<String>::new());
}

#[tokio::test]
async fn one_customer_that_cannot_be_billed_stops_nobody_else() {
    let world = World::new().await;
    many(&world, 3).await;
    let broken = world.customer(Who { no: "K-broken", ..POSTPAID }).await;
    // A percentage of nothing that is known: no case of the price fits the usage.
    let by = Price::from_json(&serde_json::json!({
        "model": "by", "dimension": "topic", "cases": { "law": { "model": "per_unit", "unit": "1" } }
    }));
    let price = by.expect("the price reads");
    world.subscribe(broken, "2026-03-01", vec![component("calls", ComponentKind::Usage, Some("calls"), price)]).await;
    world.used(broken, "calls", "1", &[("topic", "tax")], "2026-03-02T09:00:00Z").await;
    let run = world.billed("2026-04-01").await;
    assert_eq!((run.counts.finalised, run.counts.failed), (3, 1));
    let failures = world.failures(run.id).await;
    assert!(failures[0].contains("tax"), "{failures:?}");
}

#[tokio::test]
async fn a_run_that_dies_goes_on_where_its_last_commit_left_it() {
    let world = World::new().await;
    many(&world, 5).await;
    let now = at("2026-04-01T08:00:00Z");
    let tx = world.tx().await;
    let id = invoicing::plan_run(&tx, on("2026-04-01"), "test", now).await.unwrap();
    tx.commit().await.unwrap();
    let tx = world.tx().await;
    invoicing::draft_some(&tx, id, 2, now).await.unwrap();
    tx.commit().await.unwrap();
    {
        // Killed while it drafts: the future is dropped somewhere in its middle.
        let tx = world.tx().await;
        let drafting = invoicing::draft_some(&tx, id, 2, now);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(3), drafting).await;
    }
    let run = world.draft_on(id, "2026-04-01T08:10:00Z").await;
    assert_eq!((run.counts.drafted, run.phase), (5, Phase::Ready));
    {
        // Killed after its numbers were taken and before the commit.
        let tx = world.tx().await;
        invoicing::finalise_some(&tx, id, 3, now).await.unwrap();
    }
    let run = world.finalised(id, "2026-04-01T08:20:00Z").await;
    assert_eq!((run.counts.finalised, run.phase), (5, Phase::Done));
    assert_eq!(numbers(&world).await.len(), 5);
    assert_eq!(world.violations().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_second_run_finds_nothing_due() {
    let world = World::new().await;
    many(&world, 2).await;
    world.billed("2026-04-01").await;
    let run = world.billed("2026-04-01").await;
    assert_eq!((run.counts.nothing_due, run.counts.finalised), (2, 0));
    assert_eq!(numbers(&world).await.len(), 2);
}

#[tokio::test]
async fn a_book_has_one_open_run() {
    let world = World::new().await;
    many(&world, 1).await;
    let run = world.drafted("2026-04-01", "2026-04-01T08:00:00Z").await;
    let tx = world.tx().await;
    let refused = invoicing::plan_run(&tx, on("2026-05-01"), "test", at("2026-04-01T09:00:00Z")).await;
    assert!(matches!(refused, Err(InvoicingError::RunMustBeTheOnlyOne)));
    drop(tx);
    let tx = world.tx().await;
    invoicing::abandon_run(&tx, run.id, at("2026-04-01T09:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    // What the abandoned drafts held is due again.
    let run = world.billed("2026-04-01").await;
    assert_eq!(run.counts.finalised, 1);
}

#[tokio::test]
async fn what_is_billed_by_one_document_is_refused_in_another() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world.subscribe(customer, "2026-03-01", fee()).await;
    let run = world.drafted("2026-04-01", "2026-04-01T08:00:00Z").await;
    // The same draft twice, as two runs would have made it.
    world
        .database
        .as_owner(
            "INSERT INTO draft SELECT tenant_id, gen_random_uuid(), customer_id, NULL, currency, period_starts_on, period_ends_on, net_micros, tax_micros,
               gross_micros, content, created_at, changed_at, NULL, NULL FROM draft",
        )
        .await;
    let run = world.finalised(run.id, "2026-04-01T09:00:00Z").await;
    assert_eq!(run.counts.finalised, 1);
    let tx = world.tx().await;
    let copy = invoicing::drafts(&tx, None, Some(customer), 10).await.unwrap().pop().unwrap();
    let refused = invoicing::finalise(&tx, copy.id, at("2026-04-01T10:00:00Z")).await;
    assert!(matches!(refused, Err(InvoicingError::AlreadyBilled { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_document_can_be_read_and_never_changed() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world.subscribe(customer, "2026-03-01", fee()).await;
    world.billed("2026-04-01").await;
    for statement in [
        "UPDATE document SET gross_micros = 1",
        "DELETE FROM document",
        "UPDATE document_line SET amount_micros = 1",
        "UPDATE document_tax SET tax_micros = 1",
        "DELETE FROM billed_service",
        "UPDATE document_file SET content = ''",
    ] {
        let tx = world.tx().await;
        let refused = tx.run(statement, []).await.unwrap_err();
        assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"), "{statement}"); // insufficient_privilege
    }
}

#[tokio::test]
async fn usage_that_arrives_late_is_billed_with_its_own_month_as_a_difference() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let law = world.topic("Law").await;
    let tiers = serde_json::json!({ "model": "graduated", "tiers": [{ "up_to": "2", "unit": "0.90" }, { "up_to": null, "unit": "0.70" }] });
    let price = Price::from_json(&tiers).unwrap();
    let version = NewPlanVersion {
        trial_days: 0,
        commitment: eur("2.00"),
        ..NewPlanVersion::monthly(Currency::EUR, vec![component("calls", ComponentKind::Usage, Some("calls"), price)])
    };
    world.subscribe_to(customer, "2026-03-01", 0, false, version).await;
    let component = [("charged_by", "component")];
    world.used(customer, "calls", "1", &component, "2026-03-10T09:00:00Z").await;
    world.called(customer, law, "2", "1.00", "2026-03-02T10:00:00Z").await;
    world.billed("2026-04-01").await;
    // 0.90, and 1.10 to the minimum of 2.00; calls 1.00 gross = 0.84
    assert_eq!(world.invoice(customer).await.document.totals.net, eur("2.84"));
    for hour in ["10", "11"] {
        world.used(customer, "calls", "1", &component, &format!("2026-03-31T{hour}:00:00Z")).await;
    }
    world.called(customer, law, "4", "2.00", "2026-03-31T12:00:00Z").await;
    world.billed("2026-05-01").await;
    let invoice = world.invoice(customer).await;
    let late: Vec<String> =
        lines(&invoice).into_iter().filter(|line| !line.contains("agreed minimum of 2.00 | 0 | 2.00")).collect();
    // March whole: 2 x 0.90 + 0.70 = 2.50, less 0.90; its minimum 0, less 1.10; calls 3.00 less 1.00 = 2.00 gross, 1.68 net
    assert_eq!(late, ["calls | 2 | 1.60", "Difference to the agreed minimum of 2.00 | 0 | -1.10", "Law | 1 | 1.68"]);
    let march = invoice.groups.iter().find(|grouped| grouped.group == invoicing::LineGroup::Late).unwrap();
    assert!(
        march
            .lines
            .iter()
            .all(|line| line.service.starts_on == on("2026-03-01") && line.service.ends_on == on("2026-04-01"))
    );
    // And once only.
    let run = world.billed("2026-05-01").await;
    assert_eq!(run.counts.nothing_due, 1);
}

#[tokio::test]
async fn a_total_below_zero_is_a_credit_note_of_its_own_series() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    // All units fall in price once the volume is reached: 1 x 5 = 5, 11 x 0.10 = 1.10.
    let tiers = serde_json::json!({ "model": "volume", "tiers": [{ "up_to": "5", "unit": "5" }, { "up_to": null, "unit": "0.10" }] });
    let price = Price::from_json(&tiers).unwrap();
    world.subscribe(customer, "2026-03-01", vec![component("calls", ComponentKind::Usage, Some("calls"), price)]).await;
    world.used(customer, "calls", "1", &[], "2026-03-10T09:00:00Z").await;
    world.billed("2026-04-01").await;
    let first = world.invoice(customer).await;
    assert_eq!(totals(&first), "5.00 + 0.95 = 5.95, due 5.95");
    for hour in 10..20 {
        world.used(customer, "calls", "1", &[], &format!("2026-03-20T{hour}:00:00Z")).await;
    }
    let run = world.billed("2026-05-01").await;
    assert_eq!((run.counts.finalised, run.counts.failed), (1, 0));
    let note = world.invoice(customer).await;
    // 1.10 less 5.00 = -3.90 net, -0.741 tax
    assert_eq!((note.document.kind, note.document.number.as_str()), (DocumentKind::CreditNote, "NLC-000001"));
    assert_eq!(
        (lines(&note), totals(&note)),
        (vec!["calls | -10 | 3.90".into()], "3.90 + 0.74 = 4.64, due 4.64".into())
    );
    assert_eq!(note.document.corrects, Some(first.document.id));
    assert_eq!(world.books(customer).await, ["-1.31", "0.00", "1.10", "0.21", "0.00"]); // 5.95 - 4.64; 5 - 3.90; 0.95 - 0.74
    let tx = world.tx().await;
    let asking = invoicing::open_documents(&tx, customer).await.unwrap();
    assert_eq!(asking.iter().map(|open| open.due).collect::<Vec<_>>(), [eur("1.31")]);
    assert!(world.pdf(note.document.id).await.starts_with(b"%PDF"));
    // And once only.
    assert_eq!(world.billed("2026-05-01").await.counts.nothing_due, 1);
}

#[tokio::test]
async fn a_failed_customer_is_tried_again_when_its_cause_is_gone() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world.subscribe(customer, "2026-03-01", fee()).await;
    let run = world.drafted("2026-04-01", "2026-04-01T08:00:00Z").await;
    // Somebody bills the same service by hand meanwhile, then the copy is taken back.
    let tx = world.tx().await;
    let draft = invoicing::drafts(&tx, Some(run.id), None, 10).await.unwrap().pop().unwrap();
    invoicing::void_draft(&tx, draft.id, at("2026-04-01T08:30:00Z")).await.unwrap();
    assert!(matches!(
        invoicing::finalise(&tx, draft.id, at("2026-04-01T08:30:00Z")).await,
        Err(InvoicingError::DraftMustBeOpen("void"))
    ));
    tx.commit().await.unwrap();
    let run = world.finalised(run.id, "2026-04-01T09:00:00Z").await;
    assert_eq!((run.counts.voided, run.counts.finalised), (1, 0));
    let run = world.billed("2026-04-01").await;
    assert_eq!(run.counts.finalised, 1);
}

#[tokio::test]
async fn a_credit_note_cancels_an_invoice_in_its_own_series() {
    let world = World::new().await;
    let customer = world.customer(PREPAID).await;
    let law = world.topic("Law").await;
    world.subscribe(customer, "2026-03-01", fee()).await;
    world.called(customer, law, "10", "5.95", "2026-03-02T10:00:00Z").await;
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    assert_eq!(totals(&invoice), "15.00 + 2.85 = 17.85, due 11.90"); // 10 + 1.90; 5.00 + 0.95 from the wallet
    let tx = world.tx().await;
    let asking = invoicing::open_documents(&tx, customer).await.unwrap();
    assert_eq!(asking.iter().map(|open| open.due).collect::<Vec<_>>(), [eur("11.90")]);
    let id = invoicing::credit(&tx, invoice.document.id, "Never wanted.", at("2026-04-02T08:00:00Z")).await.unwrap();
    let twice = invoicing::credit(&tx, invoice.document.id, "Again.", at("2026-04-02T08:00:00Z")).await;
    assert!(matches!(twice, Err(InvoicingError::MustBeUncreditedInvoice)));
    tx.commit().await.unwrap();
    let tx = world.tx().await;
    let note = invoicing::document(&tx, id).await.unwrap();
    assert_eq!((note.document.kind, note.document.number.as_str()), (DocumentKind::CreditNote, "NLC-000001"));
    assert_eq!(note.document.corrects, Some(invoice.document.id));
    assert!(invoicing::open_documents(&tx, customer).await.unwrap().is_empty());
    assert_eq!(ledger::wallet_of(&tx, customer).await.unwrap().unwrap().balance, eur("5.95"));
    drop(tx);
    assert_eq!(world.books(customer).await, ["0.00", "0.00", "0.00", "0.00", "0.00"]);
    assert_eq!(world.violations().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_portal_customer_reads_its_own_documents_only() {
    let world = World::new().await;
    let (own, other) = (world.customer(who(1)).await, world.customer(who(2)).await);
    world.subscribe(own, "2026-03-01", fee()).await;
    world.subscribe(other, "2026-03-01", fee()).await;
    world.billed("2026-04-01").await;
    let theirs = world.invoice(other).await.document.id;
    let ctx = world.database.db.customer(world.tenant, own).await.unwrap();
    let seen = invoicing::documents(&ctx, &DocumentFilter::default()).await.unwrap();
    assert_eq!(seen.iter().map(|document| document.customer_id).collect::<BTreeSet<_>>(), BTreeSet::from([own]));
    assert!(matches!(invoicing::document(&ctx, theirs).await, Err(InvoicingError::UnknownDocument(_))));
    let pdf = invoicing::pdf(&ctx, seen[0].id, None, at("2026-04-02T08:00:00Z")).await.unwrap();
    assert!(pdf.starts_with(b"%PDF"));
}

#[tokio::test]
async fn a_pdf_is_made_once_and_stays_the_same() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world.subscribe(customer, "2026-03-01", fee()).await;
    let run = world.drafted("2026-04-01", "2026-04-01T08:00:00Z").await;
    let tx = world.tx().await;
    let draft = invoicing::drafts(&tx, Some(run.id), None, 1).await.unwrap().pop().unwrap();
    assert!(invoicing::draft_pdf(&tx, draft.id, at("2026-04-01T08:30:00Z")).await.unwrap().starts_with(b"%PDF"));
    drop(tx);
    world.finalised(run.id, "2026-04-01T09:00:00Z").await;
    let invoice = world.invoice(customer).await;
    let tx = world.tx().await;
    assert_eq!(invoicing::unprinted(&tx, at("2026-04-01T00:00:00Z"), 10).await.unwrap(), [invoice.document.id]);
    drop(tx);
    let first = world.pdf(invoice.document.id).await;
    let second = world.pdf(invoice.document.id).await;
    assert!(first == second);
    let tx = world.tx().await;
    assert!(invoicing::unprinted(&tx, at("2026-04-01T00:00:00Z"), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_tells_its_pace_and_the_home_page_what_was_billed() {
    let world = World::new().await;
    many(&world, 4).await;
    let now = "2026-04-01T08:00:00Z";
    let tx = world.tx().await;
    let id = invoicing::plan_run(&tx, on("2026-04-01"), "test", at(now)).await.unwrap();
    let run = invoicing::draft_some(&tx, id, 1, at(now)).await.unwrap();
    assert_eq!((run.progress(), run.pace(at(now))), ((1, 4), None));
    let pace = run.pace(at("2026-04-01T08:00:02Z")).unwrap();
    assert_eq!((pace.per_second.to_string(), pace.seconds_left), ("0.5".to_owned(), 6)); // 1 in 2 s; 3 left
    tx.commit().await.unwrap();
    let run = world.draft_on(id, now).await;
    world.finalised(run.id, now).await;
    let tx = world.tx().await;
    let billed = invoicing::billed_between(&tx, on("2026-04-01"), on("2026-05-01")).await.unwrap();
    assert_eq!((billed[0].documents, billed[0].net, billed[0].gross), (4, eur("40"), eur("47.60")));
    assert!(invoicing::billed_between(&tx, on("2026-03-01"), on("2026-04-01")).await.unwrap().is_empty());
    let items = invoicing::run_items(&tx, id, Some(ItemState::Finalised), None, 10).await.unwrap();
    assert_eq!(items.len(), 4);
}

#[tokio::test]
async fn the_audit_tells_what_was_broken_from_outside() {
    let world = World::new().await;
    many(&world, 3).await;
    world.billed("2026-04-01").await;
    for (damage, invariant) in [
        ("GRANT UPDATE ON document_line TO ringtill_tenant", "I11"),
        (
            "UPDATE document_line SET amount_micros = amount_micros + 10000 WHERE ctid = (SELECT min(ctid) FROM document_line)",
            "I9",
        ),
        ("UPDATE document_counter SET last_number = last_number + 1", "I6"),
        (
            "UPDATE billed_service SET amount_micros = amount_micros + 10000 WHERE component_key = 'fee' AND kind = 'charge'",
            "I16",
        ),
        ("DELETE FROM billed_service", "I7"),
    ] {
        world.database.as_owner(damage).await;
        let found = world.violations().await;
        assert!(found.iter().any(|violation| violation.starts_with(&format!("{invariant} "))), "{damage}: {found:?}");
    }
}
