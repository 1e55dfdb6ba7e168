//! Organisations and people to tell stories with.

use chrono::{DateTime, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{PersonId, PlatformReason, PlatformTx, TenantId, TenantTx};
use money::Currency;
use tenant::{Membership, NewMember, NewOrganisation, OrganisationKind, Role, RoundCallsTo};

pub const PASSWORD: &str = "correct horse battery";

pub struct World {
    pub database: TestDatabase,
}

impl World {
    pub async fn new() -> World {
        World { database: fresh_database().await }
    }

    pub async fn platform(&self) -> PlatformTx {
        self.database.db.platform(PlatformReason::Provision).await.unwrap()
    }

    pub async fn tx(&self, tenant: TenantId) -> TenantTx {
        self.database.db.tenant(tenant).await.unwrap()
    }

    pub async fn organisation(&self, slug: &str, kind: OrganisationKind) -> TenantId {
        let ptx = self.platform().await;
        let id =
            tenant::create_organisation(&ptx, &new_organisation(slug, kind), at("2026-01-01T00:00:00Z")).await.unwrap();
        ptx.commit().await.unwrap();
        id
    }

    /// A person of this e-mail address as a member.
    pub async fn member(&self, tenant_id: TenantId, email: &str, role: Role) -> (PersonId, Membership) {
        let ptx = self.platform().await;
        let now = at("2026-01-01T00:00:00Z");
        let person = match tenant::person_by_email(&ptx, email).await.unwrap() {
            Some(person) => person,
            None => tenant::create_person(&ptx, email, email, PASSWORD, now).await.unwrap(),
        };
        ptx.commit().await.unwrap();
        let tx = self.tx(tenant_id).await;
        let customer_id = (role == Role::Customer).then(db::CustomerId::new);
        let new = NewMember { person_id: person, name: email.to_owned(), email: email.to_owned(), role, customer_id };
        let member = tenant::add_member(&tx, new, now).await.unwrap();
        tx.commit().await.unwrap();
        let ptx = self.platform().await;
        let membership = tenant::memberships(&ptx, person)
            .await
            .unwrap()
            .into_iter()
            .find(|membership| membership.member_id == member);
        (person, membership.unwrap())
    }
}

pub fn new_organisation(slug: &str, kind: OrganisationKind) -> NewOrganisation {
    NewOrganisation {
        kind,
        name: slug.to_uppercase(),
        slug: slug.to_owned(),
        currency: Currency::EUR,
        time_zone: "Europe/Berlin".to_owned(),
        country: "DE".to_owned(),
        legal_name: format!("{slug} GmbH"),
        address_lines: vec!["Hauptstr. 1".to_owned(), "10115 Berlin".to_owned()],
        contact_lines: Vec::new(),
        tax_id: Some("DE123456789".to_owned()),
        bank: vec![("IBAN".to_owned(), "DE02 1203 0000 0000 2020 51".to_owned())],
        language: "de".to_owned(),
        series_prefix: "AC".to_owned(),
        tax_percent: "19".parse().unwrap(),
        round_calls_to: RoundCallsTo::Minor,
    }
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
