//! A file of another switch's call records, sent and not begun: its first rows are there to be looked at.

use chrono::{DateTime, TimeDelta, Utc};
use db::{Db, TenantId};
use usage_metering::{Format, Mapping, NewImport, Settings};

/// A week of the old exchange, of which some rows are none.
pub async fn send(db: &Db, tenant_id: TenantId, called: &str, caller: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut file = String::from("call_id;from;to;start;duration;talk;topic\n");
    for nth in 0..24_u32 {
        let at = (now - TimeDelta::days(2) + TimeDelta::minutes(i64::from(nth) * 7)).format("%Y-%m-%d %H:%M:%S");
        let (from, talk) = match nth {
            5 => ("1001", 40),
            11 => ("anonymous", 75),
            _ if nth % 4 == 3 => (caller, 0),
            _ => (caller, 60 + nth * 13),
        };
        file += &format!("X-{:05};{from};{called};{at};{};{talk};1\n", 40_117 + nth, talk + 12);
    }
    let settings = Settings {
        source: "old exchange".to_owned(),
        time_zone: Some("UTC".to_owned()),
        mapping: Some(Mapping::guess(file.as_bytes())),
        ..Settings::new(Format::Csv)
    };
    let tx = db.tenant(tenant_id).await?;
    let new = NewImport { name: "old-exchange.csv", settings: &settings, bytes: file.as_bytes(), by: "Henrik Bauer" };
    usage_metering::create_import(&tx, &new, now).await?;
    tx.commit().await?;
    Ok(())
}
