//! What the demo world's sellers offer besides their plans: a coupon, and the next version of a plan, which is still a draft.

use super::World;
use anyhow::Context;
use chrono::{DateTime, Utc};
use db::Db;
use money::Percent;
use serde_json::json;
use subscription::{CouponOff, NewCoupon};

/// Writes them into the books of the operator and of the reseller.
pub async fn create(db: &Db, world: &World, began: DateTime<Utc>) -> anyhow::Result<()> {
    for seller in [world.operator, world.reseller] {
        let tx = db.tenant(seller).await?;
        let welcome = NewCoupon {
            code: "WELCOME-20".into(),
            name: "Welcome: 20% off for three months".into(),
            off: CouponOff::Percent(Percent::new(20.into())?),
            periods: Some(3),
            redemptions_max: Some(100),
            valid_until: None,
        };
        subscription::create_coupon(&tx, &welcome, began).await?;
        let plans = subscription::plans(&tx).await?;
        let agents = plans.into_iter().find(|plan| plan.code == "agents").context("the demo world sells this plan")?;
        let mut next = agents.newest.context("a demo plan is published")?.terms();
        for component in &mut next.components {
            if component.key == "agents" {
                // Above a hundred agents each one costs less, slice by slice: no cliff.
                component.price = serde_json::from_value(json!({
                    "model": "graduated",
                    "tiers": [{"up_to": "100", "unit": "49.00"}, {"up_to": null, "unit": "44.00"}],
                }))?;
            }
        }
        subscription::save_draft(&tx, agents.id, &next.to_document(), "demo", began).await?;
        tx.commit().await?;
    }
    Ok(())
}
