//! What payees are owed: statements drafted after a month, issued once, paid once, and corrected on the next.

use crate::world::{World, at, on};
use chrono::{DateTime, Utc};
use db::{CustomerId, PlatformReason, SettlementId, TenantId};
use invoicing::{
    DocumentKind, InvoicingError, Payout, Settlement, SettlementFilter, SettlementState, deliver_settlements,
    discard_settlement, draft_again, draft_settlements, issue_settlement, record_payout,
};
use ledger::{AccountKind, AccountRef, Owed, PartnerShare, ShareKind};
use money::{Currency, Money};
use rust_decimal::Decimal;
use subscription::NewCustomer;
use tenant::{NewOrganisation, OrganisationKind, RoundCallsTo};
use uuid::Uuid;

const HOTLINE: &str = "+49900100200";

fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

/// A seller in Berlin, and a payee that is its customer.
struct Story {
    world: World,
    payee: TenantId,
    customer: CustomerId,
}

impl Story {
    async fn with_payee(country: &str, tax_id: Option<&str>) -> Story {
        let world = World::new().await;
        let ptx = world.database.db.platform(PlatformReason::Provision).await.unwrap();
        let new = NewOrganisation {
            kind: OrganisationKind::Tenant,
            name: "Almendro".to_owned(),
            slug: "almendro".to_owned(),
            currency: Currency::EUR,
            time_zone: "Europe/Berlin".to_owned(),
            country: country.to_owned(),
            legal_name: "Editorial Almendro".to_owned(),
            address_lines: vec!["Passeig de Gràcia 88".to_owned(), "08008 Barcelona".to_owned()],
            contact_lines: Vec::new(),
            tax_id: tax_id.map(str::to_owned),
            bank: vec![("IBAN".to_owned(), "ES7921000813610123456789".to_owned())],
            language: "en".to_owned(),
            series_prefix: "EA".to_owned(),
            tax_percent: Decimal::from(19),
            round_calls_to: RoundCallsTo::Micros,
        };
        let payee = tenant::create_organisation(&ptx, &new, at("2025-12-01T00:00:00Z")).await.unwrap();
        ptx.commit().await.unwrap();
        let tx = world.tx().await;
        let new = NewCustomer {
            organisation_id: Some(payee),
            ..NewCustomer::postpaid("T-1", "Almendro", Currency::EUR, "Europe/Berlin", country, on("2026-01-01"))
        };
        let customer = subscription::create_customer(&tx, &new, at("2025-12-31T23:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        Story { world, payee, customer }
    }

    /// Calls of a day: what was collected, and what of it is owed; in both books.
    async fn share(&self, day: &str, kind: ShareKind, (calls, minutes): (i64, i64), (base, owed): (&str, &str)) {
        let (base, owed) = (eur(base), eur(owed));
        let share = PartnerShare {
            batch_id: Uuid::now_v7(),
            customer_id: self.customer,
            called: HOTLINE.to_owned(),
            shared_on: on(day),
            kind,
            calls,
            seconds: minutes * 60,
            base,
            carrier_cost: eur("0"),
            kept: base.checked_sub(owed).unwrap(),
            owed,
        };
        let effective_at: DateTime<Utc> = at(&format!("{day}T11:00:00Z"));
        let shares = [Owed { share, from_seller: eur("0"), effective_at }];
        let tx = self.world.tx().await;
        ledger::owe(&tx, &shares, effective_at).await.unwrap();
        tx.commit().await.unwrap();
        let tx = self.world.database.db.tenant(self.payee).await.unwrap();
        ledger::earn(&tx, &shares, effective_at).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn draft(&self, until: &str, now: &str) -> u64 {
        draft_settlements(&self.world.database.db, self.world.tenant, on(until), at(now)).await.unwrap()
    }

    /// All statements, the newest month first.
    async fn all(&self) -> Vec<Settlement> {
        let filter = SettlementFilter { limit: 20, ..SettlementFilter::default() };
        invoicing::settlements(&self.world.tx().await, &filter).await.unwrap()
    }

    async fn issue(&self, id: SettlementId, now: &str) -> Result<db::DocumentId, InvoicingError> {
        let tx = self.world.tx().await;
        let issued = issue_settlement(&tx, id, "Berta", at(now)).await?;
        tx.commit().await.unwrap();
        deliver_settlements(&self.world.database.db, self.world.tenant, at(now)).await.unwrap();
        Ok(issued)
    }

    async fn pay(&self, id: SettlementId, reference: &str, day: &str, now: &str) -> Result<(), InvoicingError> {
        let tx = self.world.tx().await;
        let payout = Payout { on: on(day), reference: reference.to_owned(), by: "Berta".to_owned() };
        record_payout(&tx, id, &payout, at(now)).await?;
        tx.commit().await.unwrap();
        deliver_settlements(&self.world.database.db, self.world.tenant, at(now)).await.unwrap();
        Ok(())
    }

    async fn balance(&self, book: TenantId, kind: AccountKind, at: DateTime<Utc>) -> Money {
        let tx = self.world.database.db.tenant(book).await.unwrap();
        ledger::balance(&tx, AccountRef::Book(kind), Currency::EUR, at).await.unwrap()
    }

    /// Both books keep their invariants.
    async fn audit(&self, now: &str) {
        for book in [self.world.tenant, self.payee] {
            let tx = self.world.database.db.tenant(book).await.unwrap();
            assert_eq!(ledger::check(&tx, at(now)).await.unwrap(), []);
            assert_eq!(invoicing::check(&tx, at(now)).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn a_month_is_drafted_issued_and_paid_once() {
    let story = Story::with_payee("DE", Some("DE111222333")).await;
    // 5 November: 10.00 were collected, 70% of it = 7.00 are owed; 6 November: 0.333333, of which 0.233333
    story.share("2026-11-05", ShareKind::Call, (4, 20), ("10.00", "7.00")).await;
    story.share("2026-11-06", ShareKind::Call, (1, 1), ("0.333333", "0.233333")).await;
    // 1 December is another month
    story.share("2026-12-01", ShareKind::Call, (1, 1), ("1.00", "0.70")).await;
    assert_eq!(story.draft("2026-11-01", "2026-12-01T02:00:00Z").await, 0);
    assert_eq!(story.draft("2026-12-01", "2026-12-01T02:00:00Z").await, 1);
    assert_eq!(story.draft("2026-12-01", "2026-12-01T02:01:00Z").await, 0);
    let draft = story.all().await.remove(0);
    // 7.00 + 0.233333 = 7.233333, rounded once: 7.23; 19% of it = 1.3737, rounded 1.37; 7.23 + 1.37 = 8.60
    assert_eq!(
        (draft.owed, draft.net, draft.tax, draft.gross),
        (eur("7.233333"), eur("7.23"), eur("1.37"), eur("8.60"))
    );
    assert_eq!(
        (draft.statement.rows.len(), draft.statement.rows[0].calls, draft.statement.rows[0].seconds),
        (1, 5, 1260)
    );
    assert_eq!(draft.state(), SettlementState::Draft);
    story.audit("2026-12-01T23:00:00Z").await;

    let document_id = story.issue(draft.id, "2026-12-03T09:00:00Z").await.unwrap();
    let view = invoicing::document(&story.world.tx().await, document_id).await.unwrap();
    assert_eq!((view.document.kind, view.document.number.as_str()), (DocumentKind::Settlement, "NLS-T-1-000001"));
    assert_eq!(view.document.frozen.recipient.name, "Editorial Almendro");
    // owed 0.70 (December) + 8.60 (this document, tax included) = 9.30
    let issued_at = at("2026-12-03T10:00:00Z");
    assert_eq!(story.balance(story.world.tenant, AccountKind::PartnerPayable, issued_at).await, eur("9.30"));
    assert_eq!(story.balance(story.world.tenant, AccountKind::Tax, issued_at).await, eur("-1.37"));
    assert_eq!(story.balance(story.world.tenant, AccountKind::Rounding, issued_at).await, eur("0.003333"));
    // the payee's side of the same
    assert_eq!(story.balance(story.payee, AccountKind::DueFromSeller, issued_at).await, eur("-9.30"));
    assert_eq!(story.balance(story.payee, AccountKind::Tax, issued_at).await, eur("1.37"));
    story.audit("2026-12-03T10:00:00Z").await;

    story.pay(draft.id, "SEPA 4711", "2026-12-10", "2026-12-10T12:00:00Z").await.unwrap();
    let paid_at = at("2026-12-10T12:00:00Z");
    assert_eq!(story.balance(story.world.tenant, AccountKind::PartnerPayable, paid_at).await, eur("0.70")); // 9.30 - 8.60
    assert_eq!(story.balance(story.payee, AccountKind::DueFromSeller, paid_at).await, eur("-0.70"));
    assert_eq!(story.balance(story.payee, AccountKind::ProcessorClearing, paid_at).await, eur("-8.60"));
    assert_eq!(story.all().await[0].payout.as_ref().unwrap().reference, "SEPA 4711");
    story.audit("2026-12-10T13:00:00Z").await;
}

#[tokio::test]
async fn what_comes_late_and_what_is_taken_back_stands_on_the_next_statement() {
    let story = Story::with_payee("DE", Some("DE111222333")).await;
    story.share("2026-11-05", ShareKind::Call, (4, 20), ("10.00", "7.00")).await;
    story.draft("2026-12-01", "2026-12-01T02:00:00Z").await;
    let november = story.all().await.remove(0);
    story.issue(november.id, "2026-12-03T09:00:00Z").await.unwrap();
    story.pay(november.id, "SEPA 1", "2026-12-04", "2026-12-04T12:00:00Z").await.unwrap();
    // 5 December: a call of November is taken back, and one arrives that nobody had told of
    story.share("2026-12-05", ShareKind::Reversal, (-1, 0), ("-2.00", "-1.40")).await;
    story.share("2026-11-30", ShareKind::Call, (1, 3), ("3.00", "2.10")).await;
    story.share("2026-12-06", ShareKind::Call, (2, 9), ("20.00", "14.00")).await;
    assert_eq!(story.draft("2026-12-01", "2026-12-07T02:00:00Z").await, 0); // November has its statement
    assert_eq!(story.draft("2027-01-01", "2027-01-01T02:00:00Z").await, 1);
    let december = story.all().await.remove(0);
    assert_eq!(december.owed, eur("14.70")); // 14.00 + 2.10 - 1.40
    let notes: Vec<_> = december.statement.adjustments.iter().map(|row| (row.note.as_str(), row.owed)).collect();
    assert_eq!(notes, [("Late calls, 11/2026", eur("2.10")), ("Reversals, 12/2026", eur("-1.40"))]);
    assert_eq!(story.all().await[1].gross, eur("8.33")); // what was issued stays: 7.00 + 19% = 8.33
    let id = story.issue(december.id, "2027-01-03T09:00:00Z").await.unwrap();
    let view = invoicing::document(&story.world.tx().await, id).await.unwrap();
    assert_eq!(view.document.number, "NLS-T-1-000002");
    story.audit("2027-01-04T00:00:00Z").await;
}

#[tokio::test]
async fn a_month_that_comes_to_less_than_nothing_lessens_the_next() {
    let story = Story::with_payee("DE", Some("DE111222333")).await;
    story.share("2026-10-05", ShareKind::Reversal, (-1, 0), ("-2.00", "-1.40")).await;
    assert_eq!(story.draft("2026-11-01", "2026-11-01T02:00:00Z").await, 0);
    story.share("2026-11-05", ShareKind::Call, (4, 20), ("10.00", "7.00")).await;
    assert_eq!(story.draft("2026-12-01", "2026-12-01T02:00:00Z").await, 1);
    assert_eq!(story.all().await[0].owed, eur("5.60")); // 7.00 - 1.40
    story.audit("2026-12-02T00:00:00Z").await;
}

#[tokio::test]
async fn the_tax_of_a_statement_is_by_the_payee_s_status() {
    // (country, tax id) -> category, tax of 7.00
    for (country, tax_id, category, tax) in [
        ("DE", Some("DE111222333"), "S", "1.33"), // 19% of 7.00
        ("DE", None, "E", "0"),                   // not registered: charges none
        ("ES", Some("ESA58818501"), "AE", "0"),   // across a border: the buyer owes it
    ] {
        let story = Story::with_payee(country, tax_id).await;
        story.share("2026-11-05", ShareKind::Call, (4, 20), ("10.00", "7.00")).await;
        story.draft("2026-12-01", "2026-12-01T02:00:00Z").await;
        let draft = story.all().await.remove(0);
        assert_eq!((draft.statement.tax_category.as_str(), draft.tax), (category, eur(tax)), "{country} {tax_id:?}");
        let id = story.issue(draft.id, "2026-12-03T09:00:00Z").await.unwrap();
        let tx = story.world.tx().await;
        let bytes = invoicing::pdf(&tx, id, Some("https://pay.northline.example/s/1"), at("2026-12-03T10:00:00Z"));
        assert!(bytes.await.unwrap().starts_with(b"%PDF"));
        tx.commit().await.unwrap();
        story.audit("2026-12-04T00:00:00Z").await;
    }
}

/// Of two at once exactly one is refused.
fn the_one_refused<T>(one: Result<T, InvoicingError>, two: Result<T, InvoicingError>) -> InvoicingError {
    match (one, two) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        (Ok(_), Ok(_)) => panic!("both were done"),
        (Err(one), Err(two)) => panic!("neither was done: {one}; {two}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_draft_one_statement_and_two_clicks_issue_and_pay_it_once() {
    let story = Story::with_payee("DE", Some("DE111222333")).await;
    story.share("2026-11-05", ShareKind::Call, (4, 20), ("10.00", "7.00")).await;
    let (one, two) = tokio::join!(
        story.draft("2026-12-01", "2026-12-01T02:00:00Z"),
        story.draft("2026-12-01", "2026-12-01T02:00:00Z")
    );
    assert_eq!(one + two, 1);
    let id = story.all().await.remove(0).id;
    let early = story.pay(id, "SEPA 1", "2026-12-01", "2026-12-01T12:00:00Z").await.unwrap_err();
    assert!(matches!(early, InvoicingError::SettlementMustBeUnpaid("draft")), "{early}");
    let now = "2026-12-03T09:00:00Z";
    let (one, two) = tokio::join!(story.issue(id, now), story.issue(id, now));
    let refused = the_one_refused(one, two);
    assert!(matches!(refused, InvoicingError::SettlementMustBeDraft("issued")), "{refused}");
    let paid = "2026-12-10T12:00:00Z";
    let (one, two) =
        tokio::join!(story.pay(id, "SEPA 1", "2026-12-10", paid), story.pay(id, "SEPA 2", "2026-12-10", paid));
    let refused = the_one_refused(one, two);
    assert!(matches!(refused, InvoicingError::SettlementMustBeUnpaid("paid")), "{refused}");
    assert_eq!(story.balance(story.world.tenant, AccountKind::PartnerPayable, at(paid)).await, eur("0"));
    story.audit(paid).await;
}

#[tokio::test]
async fn a_draft_that_is_wrong_is_discarded_and_its_calls_stand_on_another() {
    let story = Story::with_payee("DE", Some("DE111222333")).await;
    story.share("2026-11-05", ShareKind::Call, (4, 20), ("10.00", "7.00")).await;
    story.draft("2026-12-01", "2026-12-01T02:00:00Z").await;
    let wrong = story.all().await.remove(0).id;
    let now = at("2026-12-02T09:00:00Z");
    let tx = story.world.tx().await;
    let no_reason = discard_settlement(&tx, wrong, "  ", "Berta", now).await.unwrap_err();
    assert_eq!(no_reason.to_string(), "discarding needs a reason of 200 letters at most");
    let too_early = draft_again(&story.world.database.db, &tx, wrong, now).await.unwrap_err();
    assert!(matches!(too_early, InvoicingError::SettlementMustBeDiscarded("draft")), "{too_early}");
    discard_settlement(&tx, wrong, "the partner has moved", "Berta", now).await.unwrap();
    tx.commit().await.unwrap();
    // Nothing is lost, and nobody drafts it behind a person's back.
    assert_eq!(ledger::unsettled(&story.world.tx().await).await.unwrap(), [(story.customer, eur("7.00"))]);
    assert_eq!(story.draft("2026-12-01", "2026-12-02T10:00:00Z").await, 0);
    story.audit("2026-12-02T10:00:00Z").await;
    for _ in 0..2 {
        let issued = story.issue(wrong, "2026-12-02T10:00:00Z").await.unwrap_err();
        assert!(matches!(issued, InvoicingError::SettlementMustBeDraft("discarded")), "{issued}");
    }
    // A second look: the same month once more, with what has come since.
    story.share("2026-11-30", ShareKind::Call, (1, 3), ("3.00", "2.10")).await;
    let tx = story.world.tx().await;
    let again = draft_again(&story.world.database.db, &tx, wrong, at("2026-12-02T11:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    let tx = story.world.tx().await;
    let twice = draft_again(&story.world.database.db, &tx, wrong, at("2026-12-02T11:00:00Z")).await.unwrap_err();
    assert!(matches!(twice, InvoicingError::SettlementMustOweSomething), "{twice}");
    drop(tx);
    let drafted = invoicing::settlement(&story.world.tx().await, again).await.unwrap();
    assert_eq!((drafted.period_starts_on, drafted.owed), (on("2026-11-01"), eur("9.10"))); // 7.00 + 2.10
    story.issue(again, "2026-12-03T09:00:00Z").await.unwrap();
    story.audit("2026-12-03T10:00:00Z").await;
}

#[tokio::test]
async fn what_was_discarded_and_not_drafted_again_stands_on_the_next_month() {
    let story = Story::with_payee("DE", Some("DE111222333")).await;
    story.share("2026-11-05", ShareKind::Call, (4, 20), ("10.00", "7.00")).await;
    story.draft("2026-12-01", "2026-12-01T02:00:00Z").await;
    let tx = story.world.tx().await;
    let november = story.all().await.remove(0).id;
    discard_settlement(&tx, november, "paid with December's", "Berta", at("2026-12-02T09:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    story.share("2026-12-06", ShareKind::Call, (2, 9), ("20.00", "14.00")).await;
    assert_eq!(story.draft("2027-01-01", "2027-01-01T02:00:00Z").await, 1);
    let december = story.all().await.remove(0);
    assert_eq!((december.period_starts_on, december.owed), (on("2026-12-01"), eur("21.00"))); // 14.00 + 7.00
    assert_eq!(december.statement.adjustments[0].note, "Late calls, 11/2026");
    story.audit("2027-01-02T00:00:00Z").await;
}

#[tokio::test]
async fn a_payout_names_its_reference_and_a_day_after_the_statement() {
    let story = Story::with_payee("DE", Some("DE111222333")).await;
    story.share("2026-11-05", ShareKind::Call, (4, 20), ("10.00", "7.00")).await;
    story.draft("2026-12-01", "2026-12-01T02:00:00Z").await;
    let id = story.all().await.remove(0).id;
    story.issue(id, "2026-12-03T09:00:00Z").await.unwrap();
    let now = "2026-12-10T12:00:00Z";
    for (reference, day, refusal) in [
        (" ", "2026-12-10", "a payout needs a reference of 140 letters at most"),
        ("SEPA 1", "2026-12-02", "the payout's day must lie between 2026-12-03 and 2026-12-10, not on 2026-12-02"),
        ("SEPA 1", "2026-12-11", "the payout's day must lie between 2026-12-03 and 2026-12-10, not on 2026-12-11"),
    ] {
        assert_eq!(story.pay(id, reference, day, now).await.unwrap_err().to_string(), refusal);
    }
}

#[tokio::test]
async fn the_audit_sees_a_payable_that_is_not_the_unpaid_shares() {
    let story = Story::with_payee("DE", Some("DE111222333")).await;
    story.share("2026-11-05", ShareKind::Call, (4, 20), ("10.00", "7.00")).await;
    story.draft("2026-12-01", "2026-12-01T02:00:00Z").await;
    let id = story.all().await.remove(0).id;
    story.issue(id, "2026-12-03T09:00:00Z").await.unwrap();
    for (damage, repair) in [
        // a statement that says more than its shares
        ("UPDATE settlement SET owed_micros = owed_micros + 1", "UPDATE settlement SET owed_micros = owed_micros - 1"),
        // a payout that nobody posted
        (
            "UPDATE settlement SET paid_at = now(), paid_on = '2026-12-04', paid_reference = 'x'",
            "UPDATE settlement SET paid_at = NULL, paid_on = NULL, paid_reference = NULL",
        ),
        // a share that fell off its statement
        (
            "UPDATE partner_share SET settlement_id = NULL",
            "UPDATE partner_share SET settlement_id = (SELECT id FROM settlement)",
        ),
    ] {
        story.world.database.as_owner(damage).await;
        let found = invoicing::check(&story.world.tx().await, at("2026-12-05T00:00:00Z")).await.unwrap();
        assert!(found.iter().any(|violation| violation.invariant == "I8"), "{damage}: {found:?}");
        story.world.database.as_owner(repair).await;
    }
    // and a tax that the payee's book does not know
    story.world.database.as_owner("UPDATE received_settlement SET tax_micros = 0, gross_micros = net_micros").await;
    let tx = story.world.database.db.tenant(story.payee).await.unwrap();
    let found = invoicing::check(&tx, at("2026-12-05T00:00:00Z")).await.unwrap();
    assert_eq!(found.iter().map(|violation| violation.invariant).collect::<Vec<_>>(), ["I9"]);
}
