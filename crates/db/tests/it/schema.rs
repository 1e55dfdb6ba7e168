//! Two tenants with rows, and the doors to them.

use db::testing::{TestDatabase, fresh_database};
use db::{CustomerId, DatabaseConfig, Db, TenantId};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use std::str::FromStr;
use uuid::Uuid;

pub const TENANTS: usize = 3;
/// Outbox messages and members of a tenant.
pub const ROWS: usize = 4;

pub struct Walled {
    pub test: TestDatabase,
}

impl Walled {
    /// Three tenants, each with four messages and four members of two customers.
    pub async fn new() -> Walled {
        let test = fresh_database().await;
        let mut statements = String::new();
        for tenant in 0..TENANTS {
            let id = tenant_id(tenant).uuid();
            statements.push_str(&format!(
                "INSERT INTO organisation (id, kind, name, slug, currency, time_zone, country, legal_name, series_prefix, created_at)
                 VALUES ('{id}', 'tenant', 't{tenant}', 't-{tenant}', 'EUR', 'UTC', 'DE', 't{tenant}', 'T', now());"
            ));
            for row in 0..ROWS {
                let customer = customer_id(tenant, row % 2).uuid();
                statements.push_str(&format!(
                    "INSERT INTO outbox (tenant_id, id, topic, key, payload, created_at, due_at)
                     VALUES ('{id}', gen_random_uuid(), 'mail', '{row}', '{{}}', now(), now());
                     INSERT INTO member (tenant_id, id, person_id, name, email, role, customer_id, created_at)
                     VALUES ('{id}', gen_random_uuid(), gen_random_uuid(), 'm', 'm', 'customer', '{customer}', now());"
                ));
            }
        }
        test.as_owner(&statements).await;
        Walled { test }
    }

    /// The same database through one single connection: what one leaves behind, the next one finds.
    pub async fn narrow(&self) -> Db {
        let config = DatabaseConfig { connections_max: 1, ..self.test.config.clone() };
        Db::connect(&config).await.unwrap()
    }
}

pub fn tenant_id(number: usize) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(0xa0 + number as u128))
}

pub fn customer_id(tenant: usize, number: usize) -> CustomerId {
    CustomerId::from_uuid(Uuid::from_u128(0xc00 + 16 * tenant as u128 + number as u128))
}

/// A connection as somebody, past all types of this crate.
pub async fn connect(url: &db::OwnerUrl) -> PgConnection {
    use secrecy::ExposeSecret;
    let options = PgConnectOptions::from_str(url.expose_secret()).unwrap();
    options.disable_statement_logging().connect().await.unwrap()
}

pub async fn close(connection: PgConnection) {
    connection.close().await.unwrap();
}
