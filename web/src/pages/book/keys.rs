//! Keys by which other systems come in: listed, made, revoked. A key is shown on the page that answers its making, and never
//! again.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::api;
use crate::error::{PageResult, sentence};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::shell::Section;
use crate::views::fields::Field;
use crate::views::keys::{ApiKeys, KeyRow, MadeKey};
use crate::views::parts::Heading;
use crate::views::ui::{Badge, Tone};
use actix_web::web;
use chrono::TimeDelta;
use db::{ApiKeyId, TenantTx};
use std::collections::BTreeSet;
use tenant::{ApiKey, ApiKeySecret, NewApiKey, Role, Scope, ScopeGroup, TenantError};

/// How long a key is good: days and words. Empty: until it is revoked.
const LIVES: [(&str, &str); 4] = [("90", "90 days"), ("365", "A year"), ("30", "30 days"), ("", "Until it is revoked")];

/// `GET /admin/settings/api-keys`
pub async fn keys(member: Member) -> PageResult<ApiKeys> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    page(&member, &tx, None, &Given::default(), &Faults::default()).await
}

/// `POST /admin/settings/api-keys`: answers the page with the key on it.
pub async fn create(member: Member, given: web::Form<Given>) -> PageResult<Outcome<ApiKeys, ApiKeys>> {
    member.must(Role::Admin)?;
    let mut faults = Faults::default();
    let new = read(&member, &given, &mut faults);
    let tx = member.tx().await?;
    if faults.none() {
        match tenant::create_api_key(&tx, &new, member.now).await {
            Ok((_, secret)) => {
                let made = page(&member, &tx, Some((new, secret)), &Given::default(), &faults).await?;
                tx.commit().await?;
                return Ok(Outcome::Left(made));
            }
            Err(refused @ (TenantError::NameMustNotBeEmpty | TenantError::NameMustBeShort { .. })) => {
                faults.say("name", sentence(refused));
            }
            Err(TenantError::KeyMustHaveScopes) => {
                faults.say(ScopeGroup::ALL[0].as_str(), "A key must be allowed something, here or below.");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(again(page(&member, &tx, None, &given, &faults).await?))
}

/// The key that is asked for; what cannot be read stands at its field.
fn read(member: &Member, given: &Given, faults: &mut Faults) -> NewApiKey {
    let days = given.get("days");
    let is_offered = LIVES.iter().any(|(known, _)| *known == days);
    if !is_offered {
        faults.say("days", "Must be one of the list.");
    }
    let mut scopes = BTreeSet::new();
    for group in ScopeGroup::ALL {
        match given.get(group.as_str()) {
            "" => {}
            "read" => drop(scopes.insert(Scope::read(*group))),
            "write" => drop(scopes.insert(Scope::write(*group))),
            _ => faults.say(group.as_str(), "Must be nothing, read, or read and change."),
        }
    }
    NewApiKey {
        name: given.get("name").to_owned(),
        mode: api::key_mode(&member.site.host),
        scopes,
        expires_at: days.parse().ok().filter(|_| is_offered).map(|days| member.now + TimeDelta::days(days)),
        by: member.actor(),
    }
}

fn fields(given: &Given, faults: &Faults) -> Vec<Field> {
    let usual = LIVES[0].0;
    let name = Field::text("name", "Name", given.get("name")).hint("What uses it: bookkeeping, a shop, a report.");
    let mut fields = vec![name, Field::choice("days", "Good for", given.or("days", usual), LIVES)];
    let may = [("", "Nothing"), ("read", "Read"), ("write", "Read and change")];
    fields.extend(ScopeGroup::ALL.iter().map(|of| Field::choice(of.as_str(), of.title(), given.get(of.as_str()), may)));
    fields.into_iter().map(|field| Field { error: faults.at(&field.name), ..field }).collect()
}

/// `POST /admin/settings/api-keys/{key_id}/revocation`
pub async fn revoke(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let id: ApiKeyId = path.parse()?;
    let tx = member.tx().await?;
    tenant::revoke_api_key(&tx, id, &member.actor(), member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.api_keys()).notice("The key is revoked. It opens nothing any more."))
}

async fn page(
    member: &Member,
    tx: &TenantTx,
    made: Option<(NewApiKey, ApiKeySecret)>,
    given: &Given,
    faults: &Faults,
) -> PageResult<ApiKeys> {
    let shell = shell(member, tx, "API keys", Section::ApiKeys).await?;
    let keys = tenant::api_keys(tx).await?;
    Ok(ApiKeys {
        heading: Heading::new("API keys").facts(format!("Times are {}", format::zone_name(&member.zone, member.now))),
        action: member.audience.api_keys(),
        csrf: shell.token(),
        made: made.map(|(new, secret)| shown_once(member, new, &secret)),
        keys: keys.iter().map(|key| row(member, key)).collect(),
        fields: fields(given, faults),
        document_href: api::DOCUMENT,
        shell,
    })
}

fn shown_once(member: &Member, new: NewApiKey, secret: &ApiKeySecret) -> MadeKey {
    let first = new.scopes.iter().find_map(|scope| api::first_list(scope.group)).unwrap_or(api::DOCUMENT);
    let origin = member.site.origin(&member.app);
    MadeKey {
        name: new.name,
        sample: format!("curl -H 'Authorization: Bearer {}' {origin}{first}", secret.expose()),
        secret: secret.expose().to_owned(),
    }
}

fn row(member: &Member, key: &ApiKey) -> KeyRow {
    let is_good = key.is_good_at(member.now);
    let state = match (key.revoked_at, key.expires_at) {
        (Some(_), _) => Badge::new("Revoked", Tone::Plain),
        (None, Some(_)) if !is_good => Badge::new("Expired", Tone::Plain),
        (None, Some(at)) => Badge::new(format!("Until {}", format::stamp(at, &member.zone).text), Tone::Good),
        (None, None) => Badge::new("Good", Tone::Good),
    };
    let at = |instant| format::stamp(instant, &member.zone).text;
    KeyRow {
        name: key.name.clone(),
        start: format!("{}…", key.start),
        scopes: key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "),
        made: format!("made {} by {}", at(key.created_at), key.created_by),
        used: key.last_used_at.map_or_else(|| "never".to_owned(), at),
        state,
        revoke_href: is_good.then(|| member.audience.api_key_revocation(key.id)),
    }
}
