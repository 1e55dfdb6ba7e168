//! A plan or an add-on comes into the catalogue: its name first; its terms are written in the editor.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::PageResult;
use crate::extract::Member;
use crate::pages::form::{self, Faults, Given, Outcome, again};
use crate::shell::Section;
use crate::views::fields::{Control, Field};
use crate::views::form::{Choice, Choices, Fields, FormPage, FormPart};
use crate::views::parts::{Heading, PagePath};
use actix_web::{Either, web};
use db::TenantTx;
use tenant::Role;

/// The domain's fields, and ours.
const FIELDS: [(&str, &str); 2] = [("code", "code"), ("name", "name")];

/// `GET /admin/plans/new`
pub async fn form(member: Member, given: web::Query<Given>) -> PageResult<FormPage> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    page(&member, &tx, &given, &Faults::default()).await
}

/// `POST /admin/plans`
pub async fn create(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let mut faults = Faults::default();
    let name = faults.keep("name", form::text(given.get("name")));
    let Some(name) = name else { return Ok(again(page(&member, &tx, &given, &faults).await?)) };
    let code = match given.get("code") {
        "" => code_of(&name),
        code => code.to_owned(),
    };
    let is_add_on = given.get("sort") == "add_on";
    let id = match subscription::create_plan(&tx, &code, &name, given.get("description"), is_add_on).await {
        Ok(id) => id,
        Err(error) => {
            faults.refused(error, &FIELDS)?;
            // The transaction may be broken by what was refused: the page is read by another one.
            drop(tx);
            return Ok(again(page(&member, &member.tx().await?, &given, &faults).await?));
        }
    };
    let payload = serde_json::json!({ "code": code, "name": name, "is_add_on": is_add_on });
    tenant::record_audit(&tx, &member.actor(), "plan.create", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(
        see_other(member.audience.plan_draft(id))
            .notice(format!("{name} is in the catalogue. Write its terms, then publish them.")),
    ))
}

/// "Advice line, Business" is `advice-line-business`.
fn code_of(name: &str) -> String {
    let mut code = String::new();
    for letter in name.chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => code.push(letter),
            _ if !code.is_empty() && !code.ends_with('-') => code.push('-'),
            _ => {}
        }
    }
    code.truncate(60);
    code.trim_end_matches('-').to_owned()
}

async fn page(member: &Member, tx: &TenantTx, given: &Given, faults: &Faults) -> PageResult<FormPage> {
    let sorts = vec![
        Choice::new("plan", "A plan").note("It is subscribed to"),
        Choice::new("add_on", "An add-on").note("It attaches to a subscription of any plan"),
    ];
    let code = Field::text("code", "Code", given.get("code"))
        .error(faults.at("code"))
        .hint("Names it for machines. Empty: made of the name; it stays as it is");
    let fields = Fields::new()
        .half(Field::text("name", "Name", given.get("name")).error(faults.at("name")).required())
        .half(code)
        .whole(Field::text("description", "Description", given.get("description")).control(Control::Area))
        .choices(Choices::one("sort", "What it is", given.or("sort", "plan"), sorts));
    Ok(FormPage {
        shell: shell(member, tx, "A new plan", Section::Plans).await?,
        heading: Heading::new("A new plan or add-on")
            .path(PagePath::under("Plans", member.audience.plans(), "New"))
            .facts("Nobody sees it until its first version is published."),
        note: None,
        action: member.audience.plans(),
        parts: vec![FormPart { title: "What is sold", text: "Prices and terms come next.", fields }],
        button: "Create and write its terms".into(),
        remark: String::new(),
        back_href: member.audience.plans(),
    })
}

#[cfg(test)]
mod tests {
    use super::code_of;

    #[test]
    fn a_code_is_made_of_the_name() {
        for (name, code) in [("Advice line, Business", "advice-line-business"), ("  24/7 ", "24-7"), ("ü", "")] {
            assert_eq!(code_of(name), code);
        }
    }
}
