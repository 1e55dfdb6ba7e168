//! Keys by which other systems come in: listed, made, revoked. A key is shown on the page that answers its making, and never
//! again.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::api;
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::views::keys::{ApiKeys, KeyRow, MadeKey, ScopeField};
use crate::views::parts::Heading;
use crate::views::ui::{Badge, Tone};
use actix_web::web;
use chrono::TimeDelta;
use db::{ApiKeyId, TenantTx};
use std::collections::BTreeSet;
use tenant::{ApiKey, ApiKeySecret, NewApiKey, Role, Scope, ScopeGroup};

/// How long a key is good: days and words. Empty: until it is revoked.
const LIVES: [(&str, &str); 4] = [("90", "90 days"), ("365", "A year"), ("30", "30 days"), ("", "Until it is revoked")];

/// `GET /admin/settings/api-keys`
pub async fn keys(member: Member) -> PageResult<ApiKeys> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    page(&member, &tx, None).await
}

/// `POST /admin/settings/api-keys`: answers the page with the key on it.
pub async fn create(member: Member, given: web::Form<Vec<(String, String)>>) -> PageResult<ApiKeys> {
    member.must(Role::Admin)?;
    let field = |name: &str| given.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let days = field("days");
    let is_offered = LIVES.iter().any(|(known, _)| *known == days);
    let expires_at = match days.parse::<i64>() {
        Ok(days) if is_offered => Some(member.now + TimeDelta::days(days)),
        _ if days.is_empty() => None,
        _ => return Err(PageError::Refused("How long the key is good must be one of the list.".into())),
    };
    let new = NewApiKey {
        name: field("name").to_owned(),
        mode: api::key_mode(&member.site.host),
        scopes: scopes(field)?,
        expires_at,
        by: member.actor(),
    };
    let tx = member.tx().await?;
    let (_, secret) = tenant::create_api_key(&tx, &new, member.now).await?;
    let made = page(&member, &tx, Some((new, secret))).await?;
    tx.commit().await?;
    Ok(made)
}

fn scopes<'a>(field: impl Fn(&str) -> &'a str) -> PageResult<BTreeSet<Scope>> {
    let mut scopes = BTreeSet::new();
    for group in ScopeGroup::ALL {
        match field(group.as_str()) {
            "" => {}
            "read" => {
                scopes.insert(Scope::read(*group));
            }
            "write" => {
                scopes.insert(Scope::write(*group));
            }
            _ => return Err(PageError::Refused("A key may nothing, read, or read and change.".into())),
        }
    }
    Ok(scopes)
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

async fn page(member: &Member, tx: &TenantTx, made: Option<(NewApiKey, ApiKeySecret)>) -> PageResult<ApiKeys> {
    let shell = shell(member, tx, "API keys", Section::ApiKeys).await?;
    let keys = tenant::api_keys(tx).await?;
    Ok(ApiKeys {
        heading: Heading::new("API keys").facts(format!("Times are {}", format::zone_name(&member.zone, member.now))),
        action: member.audience.api_keys(),
        csrf: shell.token(),
        made: made.map(|(new, secret)| shown_once(member, new, &secret)),
        keys: keys.iter().map(|key| row(member, key)).collect(),
        scopes: ScopeGroup::ALL.iter().map(|of| ScopeField { name: of.as_str(), title: of.title() }).collect(),
        lives: LIVES.to_vec(),
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
