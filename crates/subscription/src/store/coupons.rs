use super::subscriptions::ids_of;
use crate::catalogue::{Coupon, CouponOff};
use crate::entity::{coupon, coupon_redemption};
use crate::error::{Result, SubscriptionError};
use crate::life::Subscription;
use chrono::{DateTime, Utc};
use db::{SubscriptionId, TenantTx};
use money::{Money, Percent};
use std::collections::HashMap;
use uuid::Uuid;

type Redemption = (Coupon, DateTime<Utc>, Option<DateTime<Utc>>);

/// The coupons of many subscriptions, by redemption.
pub(crate) async fn redeemed(
    tx: &TenantTx,
    subscriptions: &[Subscription],
) -> Result<HashMap<SubscriptionId, Vec<Redemption>>> {
    let rows: Vec<coupon_redemption::Model> = tx
        .rows(
            "SELECT * FROM coupon_redemption WHERE tenant_id = $1 AND subscription_id = ANY($2) ORDER BY redeemed_at, coupon_id",
            [tx.tenant_id().into(), ids_of(subscriptions).into()],
        )
        .await?;
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.coupon_id).collect();
    let coupons: Vec<coupon::Model> = tx
        .rows("SELECT * FROM coupon WHERE tenant_id = $1 AND id = ANY($2)", [tx.tenant_id().into(), ids.into()])
        .await?;
    let coupons = coupons.into_iter().map(|row| Ok((row.id, domain(row)?))).collect::<Result<HashMap<_, _>>>()?;
    let mut all: HashMap<SubscriptionId, Vec<Redemption>> = HashMap::new();
    for row in rows {
        let coupon = coupons.get(&row.coupon_id).cloned();
        let coupon = coupon.ok_or_else(|| SubscriptionError::not_found("coupon", row.coupon_id))?;
        all.entry(row.subscription_id.into()).or_default().push((coupon, row.redeemed_at, row.ended_at));
    }
    Ok(all)
}

pub(crate) fn domain(row: coupon::Model) -> Result<Coupon> {
    let off = match (row.percent_off, row.amount_off_micros, row.currency) {
        (Some(percent), ..) => CouponOff::Percent(Percent::new(percent)?),
        (None, Some(micros), Some(currency)) => CouponOff::Amount(Money::from_micros(micros, currency.parse()?)),
        _ => {
            let reason = format!("{} takes nothing off", row.code);
            return Err(SubscriptionError::StoredDocumentUnreadable { kind: "coupon", reason });
        }
    };
    Ok(Coupon {
        id: row.id.into(),
        code: row.code,
        name: row.name,
        off,
        periods: row.periods.map(i32::unsigned_abs),
        redemptions_max: row.redemptions_max.map(i32::unsigned_abs),
        redemptions: row.redemptions.unsigned_abs(),
        valid_until: row.valid_until,
        archived_at: row.archived_at,
    })
}
