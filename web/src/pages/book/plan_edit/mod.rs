//! The editor of a plan's next version: one form, of which every button without consequences gives the form back, changed.
//! A draft is kept as it was typed, also where it breaks rules; only a version must keep them all.

mod deed;
mod preview;
mod read;
mod read_price;
mod show;
mod show_price;
mod write;

#[cfg(test)]
mod tests;

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::sheet::Sheet;
use crate::shell::Section;
use crate::views::parts::{Heading, Note, PagePath};
use crate::views::plan_edit::{Deed, PlanEditor};
use crate::views::ui::Tone;
use actix_web::{Either, Responder, web};
use db::{PlanId, TenantTx};
use preview::InUse;
use show::Show;
use subscription::{NewPlanVersion, Plan, PlanVersion};
use tenant::Role;
use usage_metering::Meter;

/// `GET /admin/plans/{plan_id}/draft`
pub async fn edit(member: Member, path: web::Path<String>) -> PageResult<PlanEditor> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let desk = Desk::open(&member, &tx, &path).await?;
    let sheet = desk.beginning(&member);
    desk.page(&member, &tx, &sheet, &Faults::default(), "", None).await
}

/// `POST /admin/plans/{plan_id}/draft`: a button of the form.
pub async fn act(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, PlanEditor>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let desk = Desk::open(&member, &tx, &path).await?;
    let kept = given.kept();
    let fields = kept.iter().filter(|(name, _)| name != "do").map(|(name, text)| (name.as_str(), text.as_str()));
    let mut sheet = Sheet::of_fields(fields);
    let touched = deed::act(&mut sheet, given.get("do"));
    let page = desk.page(&member, &tx, &sheet, &Faults::default(), &touched, None).await?;
    Ok(Either::Right(page.customize()))
}

/// The plan and what its editor needs to know of the book.
struct Desk {
    plan: Plan,
    in_use: Option<InUse>,
    meters: Vec<Meter>,
    add_ons: Vec<(String, String)>,
}

impl Desk {
    async fn open(member: &Member, tx: &TenantTx, path: &str) -> PageResult<Desk> {
        let _ = member;
        let id: PlanId = path.parse()?;
        let plans = subscription::plans(tx).await?;
        let plan = plans.iter().find(|plan| plan.id == id).cloned().ok_or(PageError::NotFound)?;
        let add_ons = plans
            .iter()
            .filter(|other| other.is_add_on && other.archived_at.is_none())
            .filter_map(|other| other.newest.as_ref().map(|newest| (newest.id.to_string(), other.name.clone())))
            .collect();
        let in_use = plan.newest.as_ref().map(|newest| InUse { number: newest.version, terms: terms_of(newest) });
        Ok(Desk { plan, in_use, meters: usage_metering::meters(tx).await?, add_ons })
    }

    /// What the form holds before anybody typed: the stored draft, else the newest version, else the usual beginning.
    fn beginning(&self, member: &Member) -> Sheet {
        match &self.in_use {
            Some(in_use) => write::sheet(&in_use.terms),
            None => write::first(member.session.organisation.currency, self.plan.is_add_on),
        }
    }

    async fn page(
        &self,
        member: &Member,
        tx: &TenantTx,
        sheet: &Sheet,
        faults: &Faults,
        touched: &str,
        note: Option<Note>,
    ) -> PageResult<PlanEditor> {
        let action = member.audience.plan_draft(self.plan.id);
        let show = Show { sheet, faults, action: &action, meters: &self.meters, add_ons: &self.add_ons, touched };
        let (samples, preview) = match read::version(sheet) {
            Ok(terms) => {
                let (samples, quantities) = preview::samples(&show, &terms);
                (samples, preview::preview(&show, &terms, &quantities, self.in_use.as_ref())?)
            }
            Err(faults) => (Vec::new(), preview::not_yet(&faults)),
        };
        let number = self.in_use.as_ref().map_or(1, |in_use| in_use.number + 1);
        let facts = match &self.in_use {
            Some(in_use) => format!("Version {} stays as it is for who has it.", in_use.number),
            None => "It is sold from its first version on.".into(),
        };
        let heading = Heading::new(format!("{}, version {number}", self.plan.name))
            .path(PagePath {
                links: vec![
                    crate::views::ui::Link::new("Plans", member.audience.plans()),
                    crate::views::ui::Link::new(&self.plan.name, member.audience.plan(self.plan.id)),
                ],
                here: format!("Version {number}"),
                is_id: false,
            })
            .badge("Draft", Tone::Plain)
            .facts(facts);
        Ok(PlanEditor {
            shell: shell(member, tx, format!("{}, version {number}", self.plan.name), Section::Plans).await?,
            heading,
            note,
            back_href: member.audience.plan(self.plan.id),
            discard_href: None,
            components: show.components(),
            kinds: show::KINDS.map(|(kind, word)| Deed::new(format!("component {}", kind.as_str()), word)).to_vec(),
            terms: show.terms(),
            more_terms: show.more_terms(),
            more_open: show.more_is_open(),
            lists: show.lists(),
            samples,
            preview,
            action,
        })
    }
}

/// A published version's terms, to begin the next one with.
pub fn terms_of(version: &PlanVersion) -> NewPlanVersion {
    NewPlanVersion {
        currency: version.currency,
        term_months: version.term_months,
        fixed_terms: version.fixed_terms,
        trial_days: version.trial_days,
        trial_usage: version.trial_usage,
        trial_end: version.trial_end,
        term_discount_percent: version.term_discount_percent,
        commitment: version.commitment,
        fee_cap: version.fee_cap,
        late_usage: version.late_usage,
        loyalty: version.loyalty.clone(),
        features: version.features.clone(),
        limits: version.limits.clone(),
        seat_limit: version.seat_limit,
        sells_extra_seats: version.sells_extra_seats,
        components: version.components.clone(),
    }
}
