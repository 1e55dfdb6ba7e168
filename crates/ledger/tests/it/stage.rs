//! A book with customers, made from outside the wall because they belong to other crates.

use chrono::{DateTime, TimeDelta, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{CallId, CustomerId, PlanId, PlanVersionId, SubscriptionId, TenantId, TenantTx};
use ledger::{Leg, Reserve, Settle, Wallet, open_wallet, top_up, wallet_of};
use money::{Currency, Money};

pub struct Stage {
    pub test: TestDatabase,
    pub tenant_id: TenantId,
}

/// Noon of 1 March 2026, plus seconds.
pub fn at(seconds: i64) -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

pub fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

impl Stage {
    pub async fn set() -> Self {
        let test = fresh_database().await;
        let tenant_id = TenantId::new();
        test.as_owner(&format!(
            "INSERT INTO organisation (id, kind, name, slug, currency, time_zone, country, legal_name, series_prefix, created_at)
             VALUES ('{}', 'tenant', 'Acme', 'acme', 'EUR', 'Europe/Berlin', 'DE', 'Acme GmbH', 'ACME', now())",
            tenant_id.uuid()
        ))
        .await;
        Self { test, tenant_id }
    }

    pub async fn tx(&self) -> TenantTx {
        self.test.db.tenant(self.tenant_id).await.unwrap()
    }

    pub async fn customer(&self) -> CustomerId {
        let id = CustomerId::new();
        self.test
            .as_owner(&format!(
                "INSERT INTO customer (tenant_id, id, customer_no, name, billing, currency, time_zone, country, anchor_on, created_at)
                 VALUES ('{}', '{}', '{id}', 'Anna', 'prepaid', 'EUR', 'Europe/Berlin', 'DE', '2026-01-01', now())",
                self.tenant_id.uuid(),
                id.uuid()
            ))
            .await;
        id
    }

    /// A prepaid customer with this much in its wallet and a floor of zero.
    pub async fn customer_with(&self, amount: &str) -> CustomerId {
        let customer_id = self.customer().await;
        let tx = self.tx().await;
        open_wallet(&tx, customer_id, Currency::EUR, eur("0"), at(0)).await.unwrap();
        if amount != "0" {
            top_up(&tx, customer_id, eur(amount), &customer_id.to_string(), "Top-up", at(0), at(0)).await.unwrap();
        }
        tx.commit().await.unwrap();
        customer_id
    }

    /// A subscription of a new customer. What it is to is of no concern here.
    pub async fn subscription(&self) -> (SubscriptionId, CustomerId) {
        let (id, customer_id) = (SubscriptionId::new(), self.customer().await);
        let (tenant, plan, version) = (self.tenant_id.uuid(), PlanId::new().uuid(), PlanVersionId::new().uuid());
        self.test
            .as_owner(&format!(
                "INSERT INTO plan (tenant_id, id, code, name) VALUES ('{tenant}', '{plan}', '{plan}', 'Support');
                 INSERT INTO plan_version (tenant_id, id, plan_id, version, currency, term_months, published_at)
                 VALUES ('{tenant}', '{version}', '{plan}', 1, 'EUR', 1, now());
                 INSERT INTO subscription (tenant_id, id, customer_id, plan_version_id, status, anchor_on, time_zone, started_at)
                 VALUES ('{tenant}', '{}', '{}', '{version}', 'active', '2026-03-01', 'Europe/Berlin', '2026-03-01')",
                id.uuid(),
                customer_id.uuid()
            ))
            .await;
        (id, customer_id)
    }

    pub async fn wallet(&self, customer_id: CustomerId) -> Wallet {
        wallet_of(&self.tx().await, customer_id).await.unwrap().unwrap()
    }

    /// (balance, reserved) as text.
    pub async fn stands(&self, customer_id: CustomerId) -> (String, String) {
        let wallet = self.wallet(customer_id).await;
        (wallet.balance.format_plain(), wallet.reserved.format_plain())
    }

    /// All invariants of the ledger hold.
    pub async fn audit(&self, now: DateTime<Utc>) {
        assert_eq!(ledger::check_ledger(&self.tx().await, now).await.unwrap(), []);
    }
}

/// A wish for the caller's leg with a lease of three minutes.
pub fn wish(call_id: CallId, seq: u32, customer_id: CustomerId, amount: &str) -> Reserve {
    Reserve { call_id, leg: Leg::Caller, seq, customer_id, amount: eur(amount), lease_until: at(180) }
}

pub fn charge(call_id: CallId, customer_id: CustomerId, amount: &str) -> Settle {
    Settle {
        call_id,
        leg: Leg::Caller,
        customer_id,
        charge: eur(amount),
        kind: "call",
        memo: "Call to Legal advice".to_owned(),
        effective_at: at(60),
    }
}
