//! The advisor: which plan would have been cheapest for what a customer really used. By the engine that bills; never posted.

use super::shell;
use super::words::period;
use crate::charts::{Chart, Drawn};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::seller;
use crate::shell::{Section, Shell};
use crate::views::advice::Advice as AdviceView;
use crate::views::parts::{Fact, Facts, Heading, PagePath};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use actix_web::web;
use chrono::{Datelike, Months, NaiveDate};
use db::{CustomerId, PlanId};
use invoicing::{Advice, Advised, Reason};
use money::{Currency, Money};

/// Plans that the chart draws: the cheapest ones.
const DRAWN: usize = 4;
const COLOURS: [&str; DRAWN] = ["c1", "c2", "c3", "c4"];

/// `GET /admin/customers/{customer_id}/advice`
pub async fn of_customer(member: Member, path: web::Path<String>) -> PageResult<AdviceView> {
    let id: CustomerId = path.parse()?;
    let tx = member.tx().await?;
    let customer = subscription::customer(&tx, id).await?.ok_or(PageError::NotFound)?;
    let advice = invoicing::advise(&tx, id, member.now).await?;
    let path = PagePath::under(&customer.name, member.audience.customer(id), "Advisor");
    let shell = shell(&member, &tx, "Advisor", Section::Customers).await?;
    let audience = member.audience;
    page(shell, path, &customer.name, &advice, customer.currency, |plan| Some(audience.plan(plan)))
}

/// `GET /admin/account/advice`: the same for what the organisation itself has at its seller.
pub async fn of_account(member: Member) -> PageResult<AdviceView> {
    let tx =
        seller::seller_book(&member.app, member.session.tenant_id, member.now).await?.ok_or(PageError::NotFound)?;
    let customer = subscription::customer(&tx, tx.customer_id()).await?.ok_or(PageError::NotFound)?;
    let advice = invoicing::advise(&tx, customer.id, member.now).await?;
    let path = PagePath::under("Plan and bills", member.audience.account(), "Advisor");
    let shell = member.shell("Advisor", Section::Account, 0);
    page(shell, path, "You", &advice, customer.currency, |_| None)
}

fn page(
    shell: Shell,
    path: PagePath,
    who: &str,
    advice: &Advice,
    currency: Currency,
    plan_href: impl Fn(PlanId) -> Option<String>,
) -> PageResult<AdviceView> {
    let months = months(advice.from_on, advice.to_on);
    let heading = Heading::new(answer(who, advice)?).path(path).facts(format!(
        "{}, net. Past usage; prices of today; tax excluded. With the seats and add-ons that are there now.",
        period(advice.from_on, advice.to_on)
    ));
    Ok(AdviceView {
        shell,
        heading,
        facts: facts(advice),
        plans: plans(advice, &months, currency, plan_href),
        chart: chart(advice, currency),
        sensitivity: sensitivity(advice, currency),
    })
}

/// The heading says which plan, and how much less.
fn answer(who: &str, advice: &Advice) -> PageResult<String> {
    let current = advice.plans.iter().find(|plan| plan.is_current);
    Ok(match (advice.plans.first(), current) {
        (None, _) => "No plan is sold in this currency".to_owned(),
        (Some(best), _) if !best.is_cheapest => "No plan sells all that was used".to_owned(),
        (Some(best), Some(current)) if best.plan_id == current.plan_id || best.total == current.total => {
            format!("{who} already {} the cheapest plan, {}", if who == "You" { "have" } else { "has" }, current.plan)
        }
        (Some(best), Some(current)) => {
            let less = current.total.checked_sub(best.total)?;
            format!("{} would have cost {} less than {}", best.plan, less.human(), current.plan)
        }
        (Some(best), None) => format!("{} would have been the cheapest, {}", best.plan, best.total.human()),
    })
}

fn facts(advice: &Advice) -> Facts {
    let mut facts = Vec::new();
    if let Some(best) = advice.plans.first().filter(|best| best.is_cheapest) {
        facts.push(Fact::new("Cheapest", &best.plan).quiet(best.total.human()));
        facts.push(Fact::new("Its worst month", best.worst.human()));
    }
    if let Some(current) = advice.plans.iter().find(|plan| plan.is_current) {
        facts.push(Fact::new("The plan now", &current.plan).quiet(current.total.human()));
    }
    facts.push(Fact::new("Compared", format::counted(advice.plans.len() as i64, "plan", "plans")));
    Facts(facts)
}

/// "Aug", "Sep", "Oct"
fn months(from: NaiveDate, to: NaiveDate) -> Vec<String> {
    let mut names = Vec::new();
    let mut month = from;
    while month < to {
        names.push(format!("{} {}", month.format("%b"), month.year()));
        let Some(next) = month.checked_add_months(Months::new(1)) else { break };
        month = next;
    }
    names
}

fn marks(plan: &Advised) -> Option<Badge> {
    match (plan.is_cheapest, plan.is_current) {
        (true, true) => Some(Badge::new("Cheapest, yours now", Tone::Good)),
        (true, false) => Some(Badge::new("Cheapest", Tone::Good)),
        (false, true) => Some(Badge::new("Now", Tone::On)),
        (false, false) => None,
    }
}

fn plans(
    advice: &Advice,
    months: &[String],
    currency: Currency,
    plan_href: impl Fn(PlanId) -> Option<String>,
) -> Table {
    let mut columns = vec![Column::text("Plan")];
    columns.extend(months.iter().map(|month| Column::figures(month).hidden()));
    columns.extend([
        Column::figures("Worst month").label("Worst"),
        Column::figures(format!("Total, {currency}")),
        Column::text("Why").full(),
    ]);
    let empty = Empty::new("scale", "Nothing to compare", "Plans that are sold in this currency show here.");
    let mut table = Table::new("Every plan for the same usage", columns, empty);
    for plan in &advice.plans {
        let name = Cell::name(&plan.plan).sub(format!("version {}", plan.version.version));
        let name = match plan_href(plan.plan_id) {
            Some(href) => name.to(href),
            None => name,
        };
        let mut cells = vec![match marks(plan) {
            Some(badge) => name.with(badge),
            None => name,
        }];
        cells.extend(plan.by_month.iter().map(|amount| Cell::figure(amount.human_bare())));
        // A plan that is younger than a month of the three has fewer amounts than there are columns.
        cells.resize_with(1 + months.len(), Cell::none);
        let reasons: Vec<String> = plan.reasons.iter().map(told).collect();
        cells.extend([
            Cell::figure(plan.worst.human_bare()),
            Cell::figure(plan.total.human_bare()).class("strong"),
            Cell::text(reasons.join("; ")).class("quiet"),
        ]);
        table.row(cells);
    }
    table
}

/// A reason in words.
fn told(reason: &Reason) -> String {
    match reason {
        Reason::AgainstCurrent(difference) if difference.is_zero() => "the same as now".to_owned(),
        Reason::AgainstCurrent(difference) => format!("{} against now", difference.human_signed()),
        Reason::MostlyFor { name, amount } => format!("{} of it for {name}", amount.human()),
        Reason::CommitmentNotReached(amount) => format!("{} for a promise that was not reached", amount.human()),
        Reason::CapReached(amount) => format!("{} left out by the cap", amount.human()),
        Reason::NotSold { name, quantity } => {
            format!("does not sell {name} ({} used)", format::quantity(quantity.round_dp(1)))
        }
        Reason::SeatsNotKnown { name } => format!("charges for {name}, and there are no assigned seats to count"),
        Reason::CallsLeftToTariffs(calls) => {
            format!("without {} calls that it leaves to tariffs", format::quantity(calls.round_dp(0)))
        }
    }
}

fn value(amount: Money) -> Option<(String, String)> {
    Some((amount.as_decimal().round_dp(2).normalize().to_string(), amount.human()))
}

/// What the cheapest plans would cost with less and with more usage.
fn chart(advice: &Advice, currency: Currency) -> Chart {
    let caption =
        "Total of the three months for the cheapest plans, with 30% less usage, as it was, and with 30% more.";
    // Plans that leave something out compare with none; the one that the customer has is always among them.
    let whole = advice.plans.iter().filter(|plan| plan.is_whole && !plan.is_current);
    let mut drawn: Vec<&Advised> =
        advice.plans.iter().filter(|plan| plan.is_current).chain(whole).take(DRAWN).collect();
    drawn.sort_by_key(|plan| plan.total.micros());
    let mut chart = Chart::lines("advice", "If usage changes", caption, "Usage")
        .note("Total of the three months, the cheapest plans")
        .mark("100", "As it was");
    if currency == Currency::EUR {
        chart = chart.unit("€");
    }
    for (plan, colour) in drawn.iter().zip(COLOURS) {
        chart = chart.series(&plan.plan, Drawn::Line, colour);
    }
    type Total = fn(&Advised) -> Money;
    let points: [(&str, &str, Total); 3] = [
        ("70", "30% less", |plan| plan.with_less),
        ("100", "As it was", |plan| plan.total),
        ("130", "30% more", |plan| plan.with_more),
    ];
    for (x, label, amount) in points {
        chart.point_at(x, label, drawn.iter().map(|plan| value(amount(plan))).collect());
    }
    chart
}

/// The same for every plan, the cheapest of each column marked.
fn sensitivity(advice: &Advice, currency: Currency) -> Table {
    let columns = vec![
        Column::text("Plan"),
        Column::figures(format!("30% less, {currency}")).label("30% less"),
        Column::figures("As it was").label("as it was"),
        Column::figures("30% more").label("30% more"),
    ];
    let empty = Empty::new("scale", "Nothing to compare", "Plans that are sold in this currency show here.");
    let mut table = Table::new("If usage changes", columns, empty).dense();
    let columns: [fn(&Advised) -> Money; 3] = [|plan| plan.with_less, |plan| plan.total, |plan| plan.with_more];
    let least =
        columns.map(|amount| advice.plans.iter().filter(|plan| plan.is_whole).map(|plan| amount(plan).micros()).min());
    for plan in &advice.plans {
        let mut cells = vec![Cell::name(&plan.plan)];
        for (amount, least) in columns.iter().zip(least) {
            let amount = amount(plan);
            let cell = Cell::figure(amount.human_bare());
            let is_least = plan.is_whole && Some(amount.micros()) == least;
            cells.push(if is_least { cell.with(Badge::new("cheapest", Tone::Good)) } else { cell });
        }
        table.row(cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_its_direction_and_months_are_named() {
        let eur = |text: &str| Money::parse(text, Currency::EUR).unwrap();
        assert_eq!(told(&Reason::AgainstCurrent(eur("-12.50"))), "−€12.50 against now");
        assert_eq!(told(&Reason::AgainstCurrent(eur("0"))), "the same as now");
        let months = months("2026-08-01".parse().unwrap(), "2026-11-01".parse().unwrap());
        assert_eq!(months, ["Aug 2026", "Sep 2026", "Oct 2026"]);
    }
}
