//! The editor of a plan's next version: one form, of which every button without consequences gives the form back, changed.
//! A draft is kept as it was typed, also where it breaks rules; only a version must keep them all.

mod deed;
mod preview;
mod read;
mod read_price;
mod review;
mod show;
mod show_price;
mod write;
mod wrong;

#[cfg(test)]
mod tests;

pub use review::{archive, change_badge, publish, review};

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::rules;
use crate::sheet::Sheet;
use crate::shell::Section;
use crate::views::parts::{Heading, Note, PagePath};
use crate::views::plan_edit::{Deed, PlanEditor};
use crate::views::ui::Tone;
use actix_web::{Either, Responder, web};
use db::{PlanId, TenantTx};
use preview::InUse;
use show::Show;
use subscription::{Draft, Measure, NewPlanVersion, Plan};
use tenant::Role;
use usage_metering::Meter;

/// `GET /admin/plans/{plan_id}/draft`
pub async fn edit(member: Member, path: web::Path<String>) -> PageResult<PlanEditor> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let desk = Desk::open(&tx, &path).await?;
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
    let desk = Desk::open(&tx, &path).await?;
    let kept = given.kept();
    let fields = kept.iter().filter(|(name, _)| name != "do").map(|(name, text)| (name.as_str(), text.as_str()));
    let mut sheet = Sheet::of_fields(fields);
    let checked = match given.get("do") {
        "save" => None,
        "review" => Some(desk.checked(&sheet)),
        deed => {
            let touched = deed::act(&mut sheet, deed);
            let page = desk.page(&member, &tx, &sheet, &Faults::default(), &touched, None).await?;
            return Ok(Either::Right(page.customize()));
        }
    };
    if let Some(Err(faults)) = &checked {
        let note = Note::wrong("It cannot be published yet.", "What is wrong stands at its field. Nothing was saved.");
        return Ok(again(desk.page(&member, &tx, &sheet, faults, "", Some(note)).await?));
    }
    subscription::save_draft(&tx, desk.plan.id, &stored(&sheet), &member.actor(), member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(match checked {
        Some(_) => see_other(member.audience.plan_review(desk.plan.id)),
        None => see_other(member.audience.plan_draft(desk.plan.id)).notice("The draft is saved."),
    }))
}

/// `POST /admin/plans/{plan_id}/draft/discard`
pub async fn discard(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let id: PlanId = path.parse()?;
    let tx = member.tx().await?;
    if !subscription::discard_draft(&tx, id).await? {
        return Err(PageError::NotFound);
    }
    tx.commit().await?;
    Ok(see_other(member.audience.plan(id)).notice("The draft is gone."))
}

/// A sheet as it is kept: the document of a version where it reads as one, else as it was typed.
fn stored(sheet: &Sheet) -> serde_json::Value {
    match read::version(sheet) {
        Ok(version) => version.to_document(),
        Err(_) => serde_json::json!({ "sheet": sheet.value() }),
    }
}

/// The plan and what its editor needs to know of the book.
struct Desk {
    plan: Plan,
    in_use: Option<InUse>,
    /// Every meter of the book, and those among them that only this book has.
    meters: Vec<Meter>,
    own_meters: Vec<Measure>,
    add_ons: Vec<(String, String)>,
    draft: Option<Draft>,
}

impl Desk {
    async fn open(tx: &TenantTx, path: &str) -> PageResult<Desk> {
        let id: PlanId = path.parse()?;
        let plans = subscription::plans(tx).await?;
        let plan = plans.iter().find(|plan| plan.id == id).cloned().ok_or(PageError::NotFound)?;
        let add_ons = plans
            .iter()
            .filter(|other| other.is_add_on && other.archived_at.is_none())
            .filter_map(|other| other.newest.as_ref().map(|newest| (newest.id.to_string(), other.name.clone())))
            .collect();
        let in_use = plan.newest.as_ref().map(|newest| InUse { number: newest.version, terms: newest.terms() });
        let (meters, own_meters) = (usage_metering::meters(tx).await?, usage_metering::own_measures(tx).await?);
        let draft = subscription::draft(tx, id).await?;
        Ok(Desk { plan, in_use, meters, own_meters, add_ons, draft })
    }

    /// The terms on the sheet, by the rules that a version keeps.
    fn checked(&self, sheet: &Sheet) -> Result<NewPlanVersion, Faults> {
        let version = read::version(sheet)?;
        let mut faults = Faults::default();
        for refusal in version.refusals(&self.own_meters) {
            faults.say(&read::field_of(sheet, &refusal), rules::of_subscription(&refusal.rule));
        }
        if faults.none() { Ok(version) } else { Err(faults) }
    }

    /// What the form holds before anybody typed: the stored draft, else the newest version, else the usual beginning.
    fn beginning(&self, member: &Member) -> Sheet {
        match (&self.draft, &self.in_use) {
            (Some(draft), _) => match (draft.document.get("sheet"), self.version_of(draft)) {
                (Some(sheet), _) => Sheet::of_value(sheet.clone()),
                (None, Some(version)) => write::sheet(&version),
                (None, None) => write::adopted(&draft.document),
            },
            (None, Some(in_use)) => write::sheet(&in_use.terms),
            (None, None) => write::first(
                member.session.organisation.currency,
                self.plan.is_add_on.then_some(self.plan.name.as_str()),
            ),
        }
    }

    /// The terms of a draft that breaks no rule.
    fn version_of(&self, draft: &Draft) -> Option<NewPlanVersion> {
        NewPlanVersion::from_document(&draft.document, &self.own_meters).ok()
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
        let read = read::version(sheet);
        // What was typed and cannot be is marked at once; what is missing still, only when it is to be published.
        let mut marked = faults.clone();
        for (field, said) in read.as_ref().err().into_iter().flat_map(|wrong| wrong.all()) {
            if !sheet.text(field).is_empty() {
                marked.say(field, said);
            }
        }
        let show =
            Show { sheet, faults: &marked, action: &action, meters: &self.meters, add_ons: &self.add_ons, touched };
        let (samples, preview) = match &read {
            Ok(terms) => {
                let (samples, quantities) = preview::samples(&show, terms);
                (samples, preview::preview(&show, terms, &quantities, self.in_use.as_ref())?)
            }
            Err(faults) => (wrong::kept_samples(sheet), wrong::not_yet(&show, faults)),
        };
        let number = self.in_use.as_ref().map_or(1, |in_use| in_use.number + 1);
        let mut facts = match &self.in_use {
            Some(in_use) => format!("Version {} stays as it is for who has it.", in_use.number),
            None => "It is sold from its first version on.".into(),
        };
        if let Some(draft) = &self.draft {
            facts += &format!(" Saved by {}, {}.", draft.edited_by, format::stamp(draft.edited_at, &member.zone).text);
        }
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
            discard_href: self.draft.as_ref().map(|_| member.audience.plan_discard(self.plan.id)),
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
