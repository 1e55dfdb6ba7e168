//! A call centre in a database of its own, made for one measurement and dropped after it.

use anyhow::{Context, Result};
use chrono::{DateTime, Months, NaiveDate, NaiveTime, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{CustomerId, DatabaseConfig, Db, PlatformReason, TenantId, TenantTx};
use money::{Currency, Money};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use std::str::FromStr;
use subscription::{Billing, NewCustomer};
use tenant::{NewOrganisation, OrganisationKind, RoundCallsTo};

pub const ZONE: &str = "Europe/Berlin";
/// Connections of the program under test, and clients of whatever it is held against.
pub const CLIENTS: usize = 8;
/// The first day of every world; usage reaches at most 13 months back.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2025, 6, 1).expect("the first of June is a day");

/// The first day of the month so many months after the world's first.
pub fn month(offset: u32) -> NaiveDate {
    FIRST_DAY.checked_add_months(Months::new(offset)).unwrap_or(FIRST_DAY)
}

/// The middle of the night in which a month begins, in UTC.
pub fn month_at(offset: u32) -> DateTime<Utc> {
    month(offset).and_time(NaiveTime::MIN).and_utc()
}

pub struct World {
    pub database: TestDatabase,
    pub tenant_id: TenantId,
    /// Beside the product, behind no wall: sets up the limits and counts.
    pub owner: PgConnection,
}

impl World {
    /// An empty book with the standard meters.
    pub async fn new() -> Result<World> {
        let database = fresh_database().await;
        let ptx = database.db.platform(PlatformReason::Provision).await?;
        let tenant_id = tenant::create_organisation(&ptx, &organisation(), month_at(0)).await?;
        usage_metering::ensure_partitions(&ptx, FIRST_DAY, 14).await?;
        ptx.commit().await?;
        let owner = connect(&database.owner).await?;
        let world = World { database, tenant_id, owner };
        let tx = world.tx().await?;
        usage_metering::define_standard_meters(&tx).await?;
        tx.commit().await?;
        Ok(world)
    }

    pub async fn tx(&self) -> Result<TenantTx> {
        Ok(self.database.db.tenant(self.tenant_id).await?)
    }

    /// Customers without a subscription. Prepaid ones get enough money for everything.
    pub async fn customers(&self, count: usize, billing: Billing) -> Result<Vec<CustomerId>> {
        let tx = self.tx().await?;
        let mut customers = Vec::with_capacity(count);
        for n in 0..count {
            let name = format!("Alpenblick Reisen {n} GmbH");
            let no = format!("C-{n:05}");
            let mut new = match billing {
                Billing::Prepaid => NewCustomer::prepaid(&no, &name, Currency::EUR, ZONE, "DE", FIRST_DAY),
                Billing::Postpaid => NewCustomer::postpaid(&no, &name, Currency::EUR, ZONE, "DE", FIRST_DAY),
            };
            new.address_lines = vec!["Residenzstraße 27".to_owned(), "80333 München".to_owned()];
            let id = subscription::create_customer(&tx, &new, month_at(0)).await?;
            if billing == Billing::Prepaid {
                let amount = Money::from_minor(100_000_000, Currency::EUR)?;
                ledger::top_up(&tx, id, amount, &no, "Top-up", month_at(0), month_at(0)).await?;
            }
            customers.push(id);
        }
        tx.commit().await?;
        Ok(customers)
    }

    /// Runs statements as the schema's owner.
    pub async fn as_owner(&mut self, statements: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut self.owner).await?;
        Ok(())
    }

    /// Copies of tables in the schema `bare`: the same columns, keys, indexes, checks and partitions, and neither policies,
    /// triggers nor foreign keys: what PostgreSQL can do with these rows at best.
    pub async fn bare_copies(&mut self, tables: &[&str]) -> Result<()> {
        self.as_owner("CREATE SCHEMA IF NOT EXISTS bare").await?;
        for table in tables {
            self.as_owner(&COPY_TABLE.replace("{table}", table)).await?;
        }
        Ok(())
    }

    /// So that no round pays for the one before.
    pub async fn settle_down(&mut self) -> Result<()> {
        self.as_owner("VACUUM (ANALYZE)").await?;
        self.as_owner("CHECKPOINT").await
    }

    /// Makes it a template: nobody is connected any more.
    pub async fn freeze(self) -> Result<Frozen> {
        let World { database, tenant_id, owner } = self;
        owner.close().await?;
        let TestDatabase { db, config, owner, name } = database;
        db.close().await?;
        Ok(Frozen { config, owner, name, tenant_id })
    }

    pub async fn drop(self) -> Result<()> {
        self.freeze().await?.drop().await
    }
}

/// A world that nobody is in; copies of it can be.
pub struct Frozen {
    config: DatabaseConfig,
    owner: SecretString,
    name: String,
    tenant_id: TenantId,
}

impl Frozen {
    pub async fn copy(&self) -> Result<World> {
        let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
        let mut admin = admin().await?;
        let create = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{}\" STRATEGY file_copy", self.name);
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await?;
        admin.close().await?;
        let renamed = |url: &SecretString| renamed(url, &self.name, &name);
        let config = DatabaseConfig {
            tenant_url: renamed(&self.config.tenant_url),
            platform_url: renamed(&self.config.platform_url),
            connections_max: self.config.connections_max,
        };
        let owner_url = renamed(&self.owner);
        let (db, owner) = (Db::connect(&config).await?, connect(&owner_url).await?);
        Ok(World { database: TestDatabase { db, config, owner: owner_url, name }, tenant_id: self.tenant_id, owner })
    }

    pub async fn drop(self) -> Result<()> {
        let mut admin = admin().await?;
        let statement = format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name);
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await?;
        Ok(admin.close().await?)
    }
}

const COPY_TABLE: &str = "
DO $copy$
DECLARE part record; original regclass := 'public.{table}'; is_parted boolean;
BEGIN
  SELECT relkind = 'p' INTO is_parted FROM pg_class WHERE oid = original;
  EXECUTE 'CREATE TABLE bare.{table} (LIKE public.{table} INCLUDING ALL)'
    || CASE WHEN is_parted THEN ' PARTITION BY ' || pg_get_partkeydef(original) ELSE '' END;
  FOR part IN SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = original LOOP
    EXECUTE format('CREATE TABLE bare.%I PARTITION OF bare.{table} %s', part.relname, part.bound);
  END LOOP;
END $copy$";

fn renamed(url: &SecretString, from: &str, to: &str) -> SecretString {
    let url = url.expose_secret();
    format!("{}{to}", url.strip_suffix(from).unwrap_or(url)).into()
}

async fn connect(url: &SecretString) -> Result<PgConnection> {
    Ok(PgConnectOptions::from_str(url.expose_secret())?.disable_statement_logging().connect().await?)
}

async fn admin() -> Result<PgConnection> {
    let url =
        std::env::var("RINGTILL_TEST_SERVER").context("RINGTILL_TEST_SERVER is not set: start it by `make bench`")?;
    connect(&url.into()).await
}

/// One of many, beside the world's own.
pub fn organisation_named(n: usize) -> NewOrganisation {
    NewOrganisation { slug: format!("organisation-{n}"), series_prefix: format!("O{n}"), ..organisation() }
}

fn organisation() -> NewOrganisation {
    NewOrganisation {
        kind: OrganisationKind::Tenant,
        name: "Northline".to_owned(),
        slug: "northline".to_owned(),
        currency: Currency::EUR,
        time_zone: ZONE.to_owned(),
        country: "DE".to_owned(),
        legal_name: "Northline Voice GmbH".to_owned(),
        address_lines: vec!["Schönhauser Allee 12".to_owned(), "10119 Berlin".to_owned()],
        contact_lines: vec!["rechnung@northline.example".to_owned()],
        tax_id: Some("DE123456789".to_owned()),
        bank: vec![
            ("IBAN".to_owned(), "DE89370400440532013000".to_owned()),
            ("BIC".to_owned(), "COBADEFFXXX".to_owned()),
        ],
        language: "en".to_owned(),
        series_prefix: "NL".to_owned(),
        tax_percent: Decimal::from(19),
        round_calls_to: RoundCallsTo::Micros,
    }
}

/// What the figures belong to.
pub async fn machine() -> Result<String> {
    let mut admin = admin().await?;
    let query = "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('shared_buffers'), \
                 to_char(now(), 'YYYY-MM-DD HH24:MI')";
    let row = sqlx::query(query).fetch_one(&mut admin).await?;
    let (version, fsync): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let (buffers, date): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    admin.close().await?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    let build = if cfg!(debug_assertions) { "DEBUG BUILD: figures mean nothing" } else { "release build" };
    let model = model.unwrap_or("unknown processor");
    Ok(format!(
        "machine: {cores} cores of {model}, PostgreSQL {version} on the same machine (fsync {fsync}, shared_buffers {buffers}), \
         {date} UTC, load {load} at the start, {build}"
    ))
}

/// The folder of the server's own programs.
pub async fn server_programs() -> Result<String> {
    let mut admin = admin().await?;
    let row = sqlx::query("SELECT setting FROM pg_config() WHERE name = 'BINDIR'").fetch_one(&mut admin).await?;
    admin.close().await?;
    Ok(row.try_get(0)?)
}

/// Numbers that look random and are the same in every run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to `below` - 1.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}
