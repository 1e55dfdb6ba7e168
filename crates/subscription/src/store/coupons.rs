use super::subscriptions::{fits, ids_of};
use crate::catalogue::{Coupon, CouponOff, NewCoupon};
use crate::entity::{coupon, coupon_redemption};
use crate::error::{Result, SubscriptionError, taken};
use crate::life::Subscription;
use chrono::{DateTime, Utc};
use db::{CouponId, CustomerId, SubscriptionId, TenantTx};
use money::{Money, Percent};
use sea_orm::{ActiveValue::Set, EntityTrait};
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

pub(crate) async fn insert(tx: &TenantTx, new: &NewCoupon, now: DateTime<Utc>) -> Result<CouponId> {
    let id = CouponId::new();
    let (percent_off, amount_off) = match new.off {
        CouponOff::Percent(percent) => (Some(percent.as_decimal()), None),
        CouponOff::Amount(amount) => (None, Some(amount)),
    };
    let row = coupon::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(id.uuid()),
        code: Set(new.code.clone()),
        name: Set(new.name.clone()),
        percent_off: Set(percent_off),
        amount_off_micros: Set(amount_off.map(|amount| amount.micros())),
        currency: Set(amount_off.map(|amount| amount.currency().code().to_owned())),
        periods: Set(new.periods.map(fits).transpose()?),
        redemptions_max: Set(new.redemptions_max.map(fits).transpose()?),
        redemptions: Set(0),
        valid_until: Set(new.valid_until),
        created_at: Set(now),
        archived_at: Set(None),
    };
    let inserted = coupon::Entity::insert(row).exec_without_returning(tx).await;
    inserted.map_err(|error| taken(error, "coupon_tenant_id_code_key", "code", &new.code))?;
    Ok(id)
}

pub(crate) async fn archive(tx: &TenantTx, id: CouponId, now: DateTime<Utc>) -> Result<bool> {
    let touched = tx
        .run(
            "UPDATE coupon SET archived_at = coalesce(archived_at, $3) WHERE tenant_id = $1 AND id = $2",
            [tx.tenant_id().into(), id.into(), now.into()],
        )
        .await?;
    Ok(touched > 0)
}

pub(crate) async fn all(tx: &TenantTx) -> Result<Vec<Coupon>> {
    let rows: Vec<coupon::Model> =
        tx.rows("SELECT * FROM coupon WHERE tenant_id = $1 ORDER BY code", [tx.tenant_id().into()]).await?;
    rows.into_iter().map(domain).collect()
}

/// By code, from the one after this on.
pub(crate) async fn page(tx: &TenantTx, after: &str, limit: u64) -> Result<Vec<Coupon>> {
    let rows: Vec<coupon::Model> = tx
        .rows(
            "SELECT * FROM coupon WHERE tenant_id = $1 AND code > $2 ORDER BY code LIMIT $3",
            [tx.tenant_id().into(), after.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()],
        )
        .await?;
    rows.into_iter().map(domain).collect()
}

pub(crate) async fn by_id(tx: &TenantTx, id: CouponId) -> Result<Option<Coupon>> {
    let row: Option<coupon::Model> =
        tx.row("SELECT * FROM coupon WHERE tenant_id = $1 AND id = $2", [tx.tenant_id().into(), id.into()]).await?;
    row.map(domain).transpose()
}

pub(crate) async fn by_code(tx: &TenantTx, code: &str) -> Result<Option<Coupon>> {
    let row: Option<coupon::Model> =
        tx.row("SELECT * FROM coupon WHERE tenant_id = $1 AND code = $2", [tx.tenant_id().into(), code.into()]).await?;
    row.map(domain).transpose()
}

pub(crate) async fn has(tx: &TenantTx, id: CouponId, subscription: SubscriptionId) -> Result<bool> {
    let found: Option<i64> = tx
        .value(
            "SELECT count(*) AS v FROM coupon_redemption WHERE tenant_id = $1 AND coupon_id = $2 AND subscription_id = $3",
            [tx.tenant_id().into(), id.into(), subscription.into()],
        )
        .await?;
    Ok(found.unwrap_or_default() > 0)
}

/// Counts one redemption if the coupon is still accepted; the row's lock lets one at a time test and count.
pub(crate) async fn count(tx: &TenantTx, id: CouponId, now: DateTime<Utc>) -> Result<bool> {
    let counted = tx
        .run(
            "UPDATE coupon SET redemptions = redemptions + 1
             WHERE tenant_id = $1 AND id = $2 AND archived_at IS NULL AND (valid_until IS NULL OR valid_until > $3)
               AND (redemptions_max IS NULL OR redemptions < redemptions_max)",
            [tx.tenant_id().into(), id.into(), now.into()],
        )
        .await?;
    Ok(counted > 0)
}

pub(crate) async fn redeem(tx: &TenantTx, id: CouponId, by: &Subscription, now: DateTime<Utc>) -> Result<()> {
    let row = coupon_redemption::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        coupon_id: Set(id.uuid()),
        subscription_id: Set(by.id.uuid()),
        customer_id: Set(by.customer_id.uuid()),
        redeemed_at: Set(now),
        ended_at: Set(None),
    };
    coupon_redemption::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

pub(crate) async fn end(tx: &TenantTx, id: CouponId, of: SubscriptionId, now: DateTime<Utc>) -> Result<bool> {
    let ended = tx
        .run(
            "UPDATE coupon_redemption SET ended_at = $4
             WHERE tenant_id = $1 AND coupon_id = $2 AND subscription_id = $3 AND ended_at IS NULL",
            [tx.tenant_id().into(), id.into(), of.into(), now.into()],
        )
        .await?;
    Ok(ended > 0)
}

pub(crate) async fn redemptions(
    tx: &TenantTx,
    id: CouponId,
    limit: u64,
) -> Result<Vec<(SubscriptionId, CustomerId, DateTime<Utc>)>> {
    let rows: Vec<coupon_redemption::Model> = tx
        .rows(
            "SELECT * FROM coupon_redemption WHERE tenant_id = $1 AND coupon_id = $2
             ORDER BY redeemed_at DESC, subscription_id LIMIT $3",
            [tx.tenant_id().into(), id.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.subscription_id.into(), row.customer_id.into(), row.redeemed_at)).collect())
}
