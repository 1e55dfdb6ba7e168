//! A new agent: a person who signs in, a member of the organisation, a seat to sit on and a name for its phone. There is no
//! agent beyond the seats of the plan; the page that refuses says what one more costs.

use super::shell;
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{self, Faults, Given};
use crate::pages::phone::random_password;
use crate::seller::{self, Seats};
use crate::shell::Section;
use crate::urls::Audience;
use crate::views::fields::{Control, Field};
use crate::views::form::{Fields, FormPage, FormPart};
use crate::views::parts::{Heading, Note, PagePath};
use crate::views::ui::Tone;
use actix_web::http::StatusCode;
use actix_web::{CustomizeResponder, Responder, web};
use db::{PersonId, PlatformReason, TenantTx};
use tenant::{NewMember, Role, TenantError};

/// An agent to be.
struct Wish {
    name: String,
    email: String,
    sip_username: String,
}

/// `GET /admin/agents/new`
pub async fn form(member: Member) -> PageResult<FormPage> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let seats = seats(&member, &tx).await?;
    page(&member, &tx, &seats, &Given::default(), &Faults::default(), None).await
}

/// `POST /admin/agents`: answers the form for the next one, with the first password of this one. It does not redirect: what it
/// shows must be kept nowhere, not even in a cookie.
pub async fn create(member: Member, given: web::Form<Given>) -> PageResult<CustomizeResponder<FormPage>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let mut before = seats(&member, &tx).await?;
    // Another administrator may be adding the last one at this moment.
    tenant::take_turn_for_a_place(&tx).await?;
    before.1 = agents(&tx).await?;
    if !before.0.has_room_beside(before.1) {
        let page = page(&member, &tx, &before, &given, &Faults::default(), None).await?;
        return Ok(page.customize().with_status(StatusCode::CONFLICT));
    }
    let mut faults = Faults::default();
    let wish = read(&given, &tx, &mut faults).await?;
    let password = random_password();
    let added = match &wish {
        Some(wish) => add(&member, &tx, wish, &password, &mut faults).await?,
        None => false,
    };
    let Some(wish) = wish.filter(|_| added) else {
        // What was refused may have broken the transaction: the page is read by another one.
        drop(tx);
        let page = page(&member, &member.tx().await?, &before, &given, &faults, None).await?;
        return Ok(page.customize().with_status(StatusCode::UNPROCESSABLE_ENTITY));
    };
    let after = seats(&member, &tx).await?;
    tx.commit().await?;
    let note = Note {
        tone: Tone::Good,
        lead: format!("{} is an agent now.", wish.name),
        text: format!(
            "First password for {}: {password}. It is shown this once; who has an account already keeps its own.",
            wish.email
        ),
    };
    let page = page(&member, &member.tx().await?, &after, &Given::default(), &Faults::default(), Some(note)).await?;
    Ok(page.customize())
}

/// The plan's seats, and how many agents there are.
async fn seats(member: &Member, tx: &TenantTx) -> PageResult<(Seats, u32)> {
    let agents = agents(tx).await?;
    Ok((seller::seats(&member.app, member.session.tenant_id, agents, member.now).await?, agents))
}

async fn agents(tx: &TenantTx) -> PageResult<u32> {
    Ok(u32::try_from(tenant::agents(tx).await?.len()).unwrap_or(u32::MAX))
}

async fn read(given: &Given, tx: &TenantTx, faults: &mut Faults) -> PageResult<Option<Wish>> {
    let name = faults.keep("name", form::text(given.get("name")));
    let email = faults.keep("email", form::text(given.get("email"))).map(|email| email.to_lowercase());
    let sip_username = faults.keep("phone", form::text(given.get("phone")));
    if let Some(email) = &email
        && tenant::members(tx)
            .await?
            .iter()
            .any(|known| known.email.to_lowercase() == *email && known.role == Role::Agent)
    {
        faults.say("email", "Is the address of an agent already.");
    }
    // Asked before anything is written: a person is global and stays when the rest is refused.
    if let Some(taken) = &sip_username
        && tenant::agents(tx).await?.iter().any(|known| known.sip_username == *taken)
    {
        faults.say("phone", "Must be free, another agent has it.");
    }
    Ok(match (name, email, sip_username) {
        (Some(name), Some(email), Some(sip_username)) if faults.none() => Some(Wish { name, email, sip_username }),
        _ => None,
    })
}

/// Adds person, member and agent; `false` when something stands at a field now.
async fn add(member: &Member, tx: &TenantTx, wish: &Wish, password: &str, faults: &mut Faults) -> PageResult<bool> {
    let person_id = match person(member, wish, password).await {
        Ok(person_id) => person_id,
        Err(error) => return refused(error, faults),
    };
    let new = NewMember {
        person_id,
        name: wish.name.clone(),
        email: wish.email.clone(),
        role: Role::Agent,
        customer_id: None,
    };
    let added = async {
        let member_id = tenant::add_member(tx, new, member.now).await?;
        tenant::add_agent(tx, member_id, &wish.name, &wish.sip_username, member.now).await
    };
    match added.await {
        Ok(id) => {
            let payload = serde_json::json!({ "name": wish.name, "phone": wish.sip_username });
            tenant::record_audit(tx, &member.actor(), "agent.create", &id.to_string(), payload, member.now).await?;
            Ok(true)
        }
        Err(error) => refused(error, faults),
    }
}

/// The person with this address, created where there is none.
async fn person(member: &Member, wish: &Wish, password: &str) -> Result<PersonId, TenantError> {
    let ptx = member.app.db.platform(PlatformReason::Provision).await?;
    let person = match tenant::person_by_email(&ptx, &wish.email).await? {
        Some(person) => person,
        None => tenant::create_person(&ptx, &wish.email, &wish.name, password, member.now).await?,
    };
    ptx.commit().await?;
    Ok(person)
}

fn refused(error: TenantError, faults: &mut Faults) -> PageResult<bool> {
    use TenantError as E;
    let (field, sentence) = match error {
        E::EmailMustBeOne(_) => ("email", "Must be an e-mail address."),
        E::MemberIsThere | E::AgentIsThere => ("email", "Is the address of an agent already."),
        E::SipUsernameMustBeSimple(_) => ("phone", "Must be 3 to 60 of a-z, 0-9, . and -."),
        E::SipUsernameIsTaken(_) => ("phone", "Must be free, another agent has it."),
        other => return Err(PageError::from(other)),
    };
    faults.say(field, sentence);
    Ok(false)
}

async fn page(
    member: &Member,
    tx: &TenantTx,
    (seats, agents): &(Seats, u32),
    given: &Given,
    faults: &Faults,
    note: Option<Note>,
) -> PageResult<FormPage> {
    let audience = Audience::Tenant;
    let is_full = !seats.has_room_beside(*agents);
    let taken = match seats.included {
        Some(included) => {
            format!("{agents} of {} of the plan are taken.", format::counted(included.into(), "seat", "seats"))
        }
        None => format!("{}.", format::counted((*agents).into(), "agent", "agents")),
    };
    let remark = match (seats.included, seats.price_of_one_more()) {
        (Some(included), Some(price)) if *agents >= included => {
            format!("Beyond the plan: one more seat costs {price}.")
        }
        (_, Some(price)) => format!("A seat costs {price} once the agent uses it."),
        _ => String::new(),
    };
    let username = Field::text("phone", "User name of the phone", given.get("phone")).error(faults.at("phone"));
    let fields = Fields::new()
        .half(Field::text("name", "Name", given.get("name")).error(faults.at("name")).required())
        .half(
            Field::text("email", "E-mail", given.get("email"))
                .control(Control::Email)
                .error(faults.at("email"))
                .required(),
        )
        .half(username.hint("As lena.nordlicht; 3 to 60 of a-z, 0-9, . and -").required());
    Ok(FormPage {
        shell: shell(member, tx, "A new agent", Section::Agents).await?,
        heading: Heading::new("A new agent").path(PagePath::under("Agents", audience.agents(), "New")).facts(taken),
        note: note.or_else(|| is_full.then(|| Note::wrong("No seat is free.", seats.refusal()))),
        action: audience.agents(),
        parts: vec![FormPart {
            title: "Who",
            text: "Signs in with its e-mail address and takes calls on its phone.",
            fields,
        }],
        button: "Add the agent".into(),
        remark: if is_full { String::new() } else { remark },
        back_href: audience.agents(),
    })
}
