//! What the customer has subscribed to, what it may use, and what the next invoice comes to so far.

use super::customer_of;
use crate::error::PageResult;
use crate::extract::PortalCustomer;
use crate::format;
use crate::pages::book::subscription::{Leads, Subscriptions, bill, card, entitled};
use crate::shell::{Section, Token};
use crate::urls;
use crate::views::parts::Heading;
use crate::views::subscriptions::PortalPlan;

/// `GET /portal/plan`
pub async fn plan(who: PortalCustomer) -> PageResult<PortalPlan> {
    let tx = who.tx().await?;
    let (customer, zone) = customer_of(&who, &tx).await?;
    let subscriptions = Subscriptions::read(&tx, customer.id, who.now).await?;
    let mut cards = Vec::with_capacity(subscriptions.all.len());
    for subscribed in &subscriptions.all {
        let leads = Leads::of_a_reader();
        cards.push(card(subscribed, &subscriptions.names, leads, Token::default(), &zone, who.now)?);
    }
    let (bill, _) = bill(&tx, &customer, who.now).await?;
    let title = match cards.as_slice() {
        [] => "You have no plan".to_owned(),
        [one] => format!("You have {}", one.plan.text),
        several => format!("You have {} plans", several.len()),
    };
    Ok(PortalPlan {
        shell: who.shell("Your plan", Section::Plans),
        heading: Heading::new(title)
            .facts(format!("Days are counted in {}", format::zone_name(&zone, who.now)))
            .action("How you pay", urls::PORTAL_PAYMENT),
        cards,
        entitlements: entitled(&tx, customer.id, who.now).await?,
        bill: Some(bill),
    })
}
