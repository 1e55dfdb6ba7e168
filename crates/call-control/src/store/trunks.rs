//! Carriers' SIP addresses, and who pays for what agents dial.

use crate::error::{CallError, Result};
use crate::trunk::{LineOf, OutgoingLine, Trunk};
use chrono::{DateTime, Utc};
use db::{AgentId, CarrierId, TenantTx};
use sea_orm::FromQueryResult;
use serde::de::DeserializeOwned;
use sip_media::{ShownAs, TrunkTransport};
use std::collections::HashSet;
use uuid::Uuid;

fn word<T: DeserializeOwned>(what: &'static str, word: &str) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|error| CallError::StoredMustRead { what, reason: error.to_string() })
}

fn transport_word(transport: TrunkTransport) -> &'static str {
    match transport {
        TrunkTransport::Udp => "udp",
        TrunkTransport::Tcp => "tcp",
        TrunkTransport::Tls => "tls",
    }
}

fn shown_word(shown_as: ShownAs) -> &'static str {
    match shown_as {
        ShownAs::From => "from",
        ShownAs::Asserted => "asserted",
        ShownAs::Account => "account",
    }
}

pub async fn trunk(tx: &TenantTx, id: CarrierId) -> Result<Option<Trunk>> {
    #[derive(FromQueryResult)]
    struct Row {
        host: String,
        port: i32,
        transport: String,
        username: Option<String>,
        password_sealed: Option<String>,
        shown_as: String,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT host, port, transport, username, password_sealed, shown_as FROM carrier_trunk
             WHERE tenant_id = $1 AND carrier_id = $2",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some(Trunk {
        host: row.host,
        port: u16::try_from(row.port).unwrap_or(0),
        transport: word("transport", &row.transport)?,
        username: row.username,
        password_sealed: row.password_sealed,
        shown_as: word("place of a caller's number", &row.shown_as)?,
    }))
}

pub async fn put_trunk(tx: &TenantTx, id: CarrierId, trunk: &Trunk, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO carrier_trunk (tenant_id, carrier_id, host, port, transport, username, password_sealed, shown_as, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant_id, carrier_id) DO UPDATE SET host = $3, port = $4, transport = $5, username = $6,
           password_sealed = $7, shown_as = $8, changed_at = $9",
        [
            tx.tenant_id().into(),
            id.into(),
            trunk.host.clone().into(),
            i32::from(trunk.port).into(),
            transport_word(trunk.transport).into(),
            trunk.username.clone().into(),
            trunk.password_sealed.clone().into(),
            shown_word(trunk.shown_as).into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn remove_trunk(tx: &TenantTx, id: CarrierId) -> Result<()> {
    tx.run("DELETE FROM carrier_trunk WHERE tenant_id = $1 AND carrier_id = $2", [tx.tenant_id().into(), id.into()])
        .await?;
    Ok(())
}

/// The carriers of this book that take live calls.
pub async fn with_trunk(tx: &TenantTx) -> Result<HashSet<CarrierId>> {
    #[derive(FromQueryResult)]
    struct Row {
        carrier_id: Uuid,
    }
    let rows: Vec<Row> =
        tx.rows("SELECT carrier_id FROM carrier_trunk WHERE tenant_id = $1", [tx.tenant_id().into()]).await?;
    Ok(rows.into_iter().map(|row| row.carrier_id.into()).collect())
}

fn agent(of: LineOf) -> Uuid {
    match of {
        LineOf::Everybody => Uuid::nil(),
        LineOf::One(id) => AgentId::uuid(id),
    }
}

pub async fn line(tx: &TenantTx, of: LineOf) -> Result<Option<OutgoingLine>> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: Uuid,
        number: String,
        country_code: Option<String>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT customer_id, number, country_code FROM outgoing_line WHERE tenant_id = $1 AND agent_id = $2",
            [tx.tenant_id().into(), agent(of).into()],
        )
        .await?;
    Ok(rows.into_iter().next().map(|row| OutgoingLine {
        customer_id: row.customer_id.into(),
        number: row.number,
        country_code: row.country_code,
    }))
}

pub async fn put_line(tx: &TenantTx, of: LineOf, line: &OutgoingLine, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO outgoing_line (tenant_id, agent_id, customer_id, number, country_code, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, agent_id) DO UPDATE SET customer_id = $3, number = $4, country_code = $5, changed_at = $6",
        [
            tx.tenant_id().into(),
            agent(of).into(),
            line.customer_id.into(),
            line.number.clone().into(),
            line.country_code.clone().into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn remove_line(tx: &TenantTx, of: LineOf) -> Result<()> {
    tx.run(
        "DELETE FROM outgoing_line WHERE tenant_id = $1 AND agent_id = $2",
        [tx.tenant_id().into(), agent(of).into()],
    )
    .await?;
    Ok(())
}
