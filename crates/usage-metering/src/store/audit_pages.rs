use chrono::{DateTime, Utc};
use db::{CustomerId, DbError, TenantTx};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// A sum that pages read and that is not the one it was folded with: (quantity, events) of each.
pub struct DifferingPage {
    /// Of the whole book in this hour, or of a customer over all its days.
    pub of: Result<DateTime<Utc>, CustomerId>,
    pub meter: String,
    pub shown: (Decimal, i64),
    pub rolled: (Decimal, i64),
}

/// All are folded by the statement that folds the hours; the hour of the book is an instant, so no zone comes into it.
pub async fn differing_pages(tx: &TenantTx) -> Result<Vec<DifferingPage>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        hour: Option<DateTime<Utc>>,
        customer_id: Option<Uuid>,
        meter: String,
        shown: Decimal,
        shown_events: i64,
        rolled: Decimal,
        rolled_events: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "WITH m AS (SELECT code AS meter, aggregation NOT IN ('sum', 'count') AS is_max, aggregation IN ('unique', 'percentile') AS is_by_value
                        FROM meter WHERE tenant_id = $1),
             hours AS (
               SELECT meter, hour, dimensions_hash, max(quantity) AS most, sum(quantity) AS quantity, sum(events)::int8 AS events
               FROM usage_rollup WHERE tenant_id = $1 GROUP BY meter, hour, dimensions_hash),
             book AS (
               SELECT meter, hour, dimensions_hash, max(quantity) AS most, sum(quantity) AS quantity, sum(events)::int8 AS events
               FROM usage_book_hour WHERE tenant_id = $1 GROUP BY meter, hour, dimensions_hash),
             customers AS (
               SELECT r.meter, r.customer_id, kept.hash AS dimensions_hash, max(r.quantity) AS most, sum(r.quantity) AS quantity,
                      sum(r.events)::int8 AS events
               FROM usage_rollup r LEFT JOIN m USING (meter) CROSS JOIN LATERAL (VALUES (r.dimensions_hash), ('')) AS kept(hash)
               WHERE r.tenant_id = $1 AND (m.is_by_value IS NOT TRUE OR kept.hash <> '') GROUP BY r.meter, r.customer_id, kept.hash),
             days AS (
               SELECT meter, customer_id, dimensions_hash, max(quantity) AS most, sum(quantity) AS quantity, sum(events)::int8 AS events
               FROM usage_customer_day WHERE tenant_id = $1 GROUP BY meter, customer_id, dimensions_hash),
             compared AS (
               SELECT hour, NULL::uuid AS customer_id, meter, b.most AS shown_most, b.quantity AS shown_sum, b.events AS shown_events,
                      h.most AS rolled_most, h.quantity AS rolled_sum, h.events AS rolled_events
               FROM book b FULL JOIN hours h USING (meter, hour, dimensions_hash)
               UNION ALL
               SELECT NULL, customer_id, meter, d.most, d.quantity, d.events, c.most, c.quantity, c.events
               FROM days d FULL JOIN customers c USING (meter, customer_id, dimensions_hash)
               UNION ALL
               SELECT NULL, customer_id, meter, w.quantity, w.quantity, w.events, d.most, d.quantity, d.events
               FROM (SELECT meter, customer_id, week_on, quantity, events FROM usage_customer_week WHERE tenant_id = $1) w
               FULL JOIN (
                 SELECT meter, customer_id, date_trunc('week', on_day::timestamp)::date AS week_on, max(quantity) AS most,
                        sum(quantity) AS quantity, sum(events)::int8 AS events
                 FROM usage_customer_day WHERE tenant_id = $1 AND dimensions_hash = '' GROUP BY 1, 2, 3) d USING (meter, customer_id, week_on)),
             told AS (
               SELECT hour, customer_id, meter, coalesce(CASE WHEN is_max THEN shown_most ELSE shown_sum END, 0) AS shown,
                      coalesce(shown_events, 0) AS shown_events, coalesce(CASE WHEN is_max THEN rolled_most ELSE rolled_sum END, 0) AS rolled,
                      coalesce(rolled_events, 0) AS rolled_events
               FROM compared LEFT JOIN m USING (meter))
             SELECT * FROM told WHERE (shown, shown_events) IS DISTINCT FROM (rolled, rolled_events)
             ORDER BY meter, hour, customer_id LIMIT 1000",
            [tx.tenant_id().into()],
        )
        .await?;
    let differing = |row: Row| {
        let of = match (row.hour, row.customer_id) {
            (Some(hour), _) => Ok(hour),
            (None, id) => Err(CustomerId::from_uuid(id.unwrap_or(Uuid::nil()))),
        };
        DifferingPage {
            of,
            meter: row.meter,
            shown: (row.shown.normalize(), row.shown_events),
            rolled: (row.rolled.normalize(), row.rolled_events),
        }
    };
    Ok(rows.into_iter().map(differing).collect())
}
