//! Sums for pages. Each source is the smallest that has the answer: the book's hours for everybody, a customer's own hours for
//! one, weeks and days by customer to compare them; and in each what is not folded yet.

use crate::error::UsageError;
use crate::prepare::json_of;
use crate::reading::DimensionSum;
use crate::seen::{CustomerSum, DayHourSum, DaySum, UsageSeen};
use crate::store::together::together;
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use db::{DbError, TenantTx};
use rust_decimal::Decimal;
use sea_orm::{FromQueryResult, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// $1 tenant, $2 meter, $3 and $4 days, $5 filter, $6 customer or nil. A day of whoever it is begins within 14 hours of
/// midnight in UTC: instants find the few hours that it may be, in the index, and the day itself decides.
macro_rules! unfolded {
    () => {
        "SELECT s.customer_id, (s.hour AT TIME ZONE c.time_zone)::date AS on_day, s.hour, s.dimensions, s.quantity, s.events
         FROM usage_sum s JOIN customer c ON c.tenant_id = $1 AND c.id = s.customer_id
         WHERE s.tenant_id = $1 AND s.meter = $2
           AND s.hour >= ($3::date - 1)::timestamp AT TIME ZONE 'UTC' AND s.hour < ($4::date + 2)::timestamp AT TIME ZONE 'UTC'
           AND (s.hour AT TIME ZONE c.time_zone)::date BETWEEN $3 AND $4"
    };
}

/// Everybody's.
macro_rules! of_book {
    () => {
        concat!(
            "(SELECT on_day, hour, dimensions, quantity, events FROM usage_book_hour
              WHERE tenant_id = $1 AND meter = $2 AND on_day BETWEEN $3 AND $4
              UNION ALL SELECT on_day, hour, dimensions, quantity, events FROM (",
            unfolded!(),
            ") u) s LEFT JOIN meter m ON m.tenant_id = $1 AND m.code = $2 WHERE s.dimensions @> $5::jsonb AND $6::uuid IS NOT NULL"
        )
    };
}

/// One customer's.
macro_rules! of_customer {
    () => {
        concat!(
            "(SELECT (r.hour AT TIME ZONE c.time_zone)::date AS on_day, r.hour, r.dimensions, r.quantity, r.events
              FROM customer c JOIN usage_rollup r ON r.tenant_id = $1 AND r.customer_id = c.id AND r.meter = $2
                AND r.hour >= ($3::date - 1)::timestamp AT TIME ZONE 'UTC' AND r.hour < ($4::date + 2)::timestamp AT TIME ZONE 'UTC'
              WHERE c.tenant_id = $1 AND c.id = $6 AND (r.hour AT TIME ZONE c.time_zone)::date BETWEEN $3 AND $4
              UNION ALL SELECT on_day, hour, dimensions, quantity, events FROM (",
            unfolded!(),
            ") u WHERE customer_id = $6) s LEFT JOIN meter m ON m.tenant_id = $1 AND m.code = $2 WHERE s.dimensions @> $5::jsonb"
        )
    };
}

fn values(tx: &TenantTx, seen: &UsageSeen) -> Vec<Value> {
    vec![
        tx.tenant_id().into(),
        seen.meter.clone().into(),
        seen.from_on.into(),
        seen.until_on.into(),
        json_of(&seen.filter).into(),
        seen.customer.map_or(Uuid::nil(), |id| id.uuid()).into(),
    ]
}

/// All of it; nothing where nothing was used.
pub async fn total(tx: &TenantTx, seen: &UsageSeen) -> Result<Option<(Decimal, i64)>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        quantity: Option<Decimal>,
        events: Option<i64>,
    }
    let sql = match seen.customer {
        None => concat!("SELECT ", together!(), " FROM ", of_book!()),
        Some(_) => concat!("SELECT ", together!(), " FROM ", of_customer!()),
    };
    let row: Option<Row> = tx.row(sql, values(tx, seen)).await?;
    Ok(row.and_then(|row| Some((row.quantity?.normalize(), row.events?))))
}

pub async fn by_day(tx: &TenantTx, seen: &UsageSeen) -> Result<Vec<DaySum>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        on_day: NaiveDate,
        quantity: Decimal,
        events: i64,
    }
    let sql = match seen.customer {
        None => concat!("SELECT on_day, ", together!(), " FROM ", of_book!(), " GROUP BY on_day ORDER BY on_day"),
        Some(_) => {
            concat!("SELECT on_day, ", together!(), " FROM ", of_customer!(), " GROUP BY on_day ORDER BY on_day")
        }
    };
    let rows: Vec<Row> = tx.rows(sql, values(tx, seen)).await?;
    let sum = |row: Row| DaySum { on_day: row.on_day, quantity: row.quantity.normalize(), events: row.events };
    Ok(rows.into_iter().map(sum).collect())
}

pub async fn by_hour(tx: &TenantTx, seen: &UsageSeen) -> Result<Vec<DayHourSum>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        on_day: NaiveDate,
        hour: DateTime<Utc>,
        quantity: Decimal,
        events: i64,
    }
    let sql = match seen.customer {
        None => {
            concat!(
                "SELECT on_day, hour, ",
                together!(),
                " FROM ",
                of_book!(),
                " GROUP BY on_day, hour ORDER BY hour, on_day"
            )
        }
        Some(_) => {
            concat!(
                "SELECT on_day, hour, ",
                together!(),
                " FROM ",
                of_customer!(),
                " GROUP BY on_day, hour ORDER BY hour, on_day"
            )
        }
    };
    let rows: Vec<Row> = tx.rows(sql, values(tx, seen)).await?;
    let sum = |row: Row| DayHourSum {
        on_day: row.on_day,
        hour: row.hour,
        quantity: row.quantity.normalize(),
        events: row.events,
    };
    Ok(rows.into_iter().map(sum).collect())
}

pub async fn by_dimension(
    tx: &TenantTx,
    seen: &UsageSeen,
    dimension: &str,
    limit: u64,
) -> Result<Vec<DimensionSum>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        value: Option<String>,
        quantity: Decimal,
        events: i64,
    }
    let sql = match seen.customer {
        None => {
            concat!(
                "SELECT s.dimensions ->> $7 AS value, ",
                together!(),
                " FROM ",
                of_book!(),
                " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $8"
            )
        }
        Some(_) => concat!(
            "SELECT s.dimensions ->> $7 AS value, ",
            together!(),
            " FROM ",
            of_customer!(),
            " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $8"
        ),
    };
    let mut all = values(tx, seen);
    all.extend([dimension.into(), (limit as i64).into()]);
    let rows: Vec<Row> = tx.rows(sql, all).await?;
    let sum = |row: Row| DimensionSum {
        dimensions: row.value.map(|value| (dimension.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
        quantity: row.quantity.normalize(),
        events: row.events,
    };
    Ok(rows.into_iter().map(sum).collect())
}

/// Whatever the dimensions, a whole week is one row, and so is a day at either end; with a filter, and of values, the book's hours say
/// which rows of the days are meant.
pub async fn by_customer(tx: &TenantTx, seen: &UsageSeen, limit: u64) -> Result<(Vec<CustomerSum>, u64), DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: Uuid,
        quantity: Decimal,
        events: i64,
        customers: i64,
    }
    let [first_week, after_weeks] = whole_weeks(seen.from_on, seen.until_on);
    let mut all = values(tx, seen);
    all.extend([(limit as i64).into(), first_week.into(), after_weeks.into()]);
    let rows: Vec<Row> = tx
        .rows(
            concat!(
                "SELECT customer_id, ",
                together!(),
                ", count(*) OVER () AS customers FROM (
                   SELECT customer_id, '{}'::jsonb AS dimensions, quantity, events FROM usage_customer_week
                   WHERE tenant_id = $1 AND meter = $2 AND week_on >= $8 AND week_on < $9 AND $5::jsonb = '{}'
                   UNION ALL
                   SELECT customer_id, dimensions, quantity, events FROM usage_customer_day
                   WHERE tenant_id = $1 AND meter = $2 AND dimensions_hash = '' AND $5::jsonb = '{}'
                     AND (on_day >= $3 AND on_day < $8 OR on_day >= $9 AND on_day <= $4)
                   UNION ALL
                   SELECT customer_id, dimensions, quantity, events FROM usage_customer_day
                   WHERE tenant_id = $1 AND meter = $2 AND on_day BETWEEN $3 AND $4
                     AND ($5::jsonb <> '{}' OR (SELECT aggregation IN ('unique', 'percentile') FROM meter WHERE tenant_id = $1 AND code = $2))
                     AND dimensions_hash = ANY (ARRAY(
                       SELECT DISTINCT h.dimensions_hash FROM usage_book_hour h
                       WHERE h.tenant_id = $1 AND h.meter = $2 AND h.on_day BETWEEN $3 AND $4 AND h.dimensions @> $5::jsonb))
                   UNION ALL SELECT customer_id, dimensions, quantity, events FROM (",
                unfolded!(),
                ") u WHERE dimensions @> $5::jsonb) s
                 LEFT JOIN meter m ON m.tenant_id = $1 AND m.code = $2
                 WHERE $6::uuid IS NOT NULL GROUP BY customer_id ORDER BY 2 DESC, 1 LIMIT $7"
            ),
            all,
        )
        .await?;
    let customers = rows.first().map_or(0, |row| row.customers.unsigned_abs());
    let sum = |row: Row| CustomerSum {
        customer_id: row.customer_id.into(),
        quantity: row.quantity.normalize(),
        events: row.events,
    };
    Ok((rows.into_iter().map(sum).collect(), customers))
}

/// The first Monday of the whole weeks among these days, and the Monday after them; twice the day after the last where there is none.
fn whole_weeks(from_on: NaiveDate, until_on: NaiveDate) -> [NaiveDate; 2] {
    let after = until_on + Days::new(1);
    let into_the_week = |day: NaiveDate| u64::from(day.weekday().num_days_from_monday());
    let first = from_on + Days::new((7 - into_the_week(from_on)) % 7);
    let last = after - Days::new(into_the_week(after));
    if first < last { [first, last] } else { [after, after] }
}
