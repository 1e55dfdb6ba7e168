//! What is refused: what is not there, what comes too early, what does not add up.

use crate::world::{POSTPAID, World, at, component, each, eur};
use db::{DraftId, LineId, RunId};
use invoicing::InvoicingError as E;
use subscription::ComponentKind;

const NOW: &str = "2026-05-01T08:00:00Z";

async fn with_a_fee() -> (World, db::CustomerId) {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world.subscribe(customer, "2026-04-01", vec![component("fee", ComponentKind::Flat, None, each("60"))]).await;
    (world, customer)
}

#[tokio::test]
async fn what_is_not_of_this_book_is_unknown() {
    let world = World::new().await;
    let tx = world.tx().await;
    let (run, draft) = (RunId::new(), DraftId::new());
    assert!(matches!(invoicing::run(&tx, run).await, Err(E::UnknownRun(id)) if id == run));
    assert!(matches!(invoicing::draft_some(&tx, run, 1, at(NOW)).await, Err(E::UnknownRun(_))));
    assert!(matches!(invoicing::retry_failed(&tx, run, at(NOW)).await, Err(E::UnknownRun(_))));
    assert!(matches!(invoicing::abandon_run(&tx, run, at(NOW)).await, Err(E::UnknownRun(_))));
    assert!(matches!(invoicing::draft(&tx, draft).await, Err(E::UnknownDraft(id)) if id == draft));
    assert!(matches!(invoicing::void_draft(&tx, draft, at(NOW)).await, Err(E::UnknownDraft(_))));
    assert!(matches!(invoicing::finalise(&tx, draft, at(NOW)).await, Err(E::UnknownDraft(_))));
}

#[tokio::test]
async fn nothing_becomes_final_before_everybody_has_a_draft() {
    let (world, _) = with_a_fee().await;
    let tx = world.tx().await;
    let run = invoicing::plan_run(&tx, "2026-05-01".parse().unwrap(), "test", at(NOW)).await.unwrap();
    let early = invoicing::finalise_some(&tx, run, 1, at(NOW)).await;
    assert!(matches!(early, Err(E::RunMustBeDrafted { waiting: 1 })), "{early:?}");
}

#[tokio::test]
async fn a_draft_that_does_not_add_up_becomes_no_document() {
    let (world, _) = with_a_fee().await;
    let run = world.drafted("2026-05-01", NOW).await;
    world.database.as_owner("UPDATE draft SET content = jsonb_set(content, '{lines}', '[]')").await;
    let run = world.finalised(run.id, NOW).await;
    assert_eq!((run.counts.finalised, run.counts.failed), (0, 1));
    let why = E::SumsMustAgree("the lines are not the net total").to_string();
    assert_eq!(world.failures(run.id).await, [why]);
}

#[tokio::test]
async fn a_credit_of_nothing_or_of_a_foreign_line_is_refused() {
    let (world, customer) = with_a_fee().await;
    world.billed("2026-05-01").await;
    let invoice = world.invoice(customer).await;
    let line = invoice.groups[0].lines[0].id;
    let tx = world.tx().await;
    let nothing = invoicing::credit_lines(&tx, invoice.document.id, &[(line, eur("0"))], "", at(NOW)).await;
    // 60 x 1.19
    assert!(
        matches!(&nothing, Err(E::CreditMustNotExceedInvoice { left, found }) if *left == eur("71.40") && found.is_zero()),
        "{nothing:?}"
    );
    let foreign = LineId::new();
    let unknown = invoicing::credit_lines(&tx, invoice.document.id, &[(foreign, eur("1"))], "", at(NOW)).await;
    assert!(matches!(unknown, Err(E::UnknownLine(id)) if id == foreign));
    let twice =
        invoicing::credit_lines(&tx, invoice.document.id, &[(line, eur("1")), (line, eur("1"))], "", at(NOW)).await;
    assert!(matches!(twice, Err(E::CreditMustNotExceedLine { .. })));
}
