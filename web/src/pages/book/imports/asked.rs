//! What somebody asks of a file: to be read in another way, tried, taken, stopped, forgotten.

use super::{find, settings, show};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult, sentence};
use crate::extract::Member;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::views::imports::ImportPage;
use actix_web::{Either, web};
use db::TenantTx;
use tenant::Role;
use usage_metering::{Import, UsageError};

/// `POST /admin/imports/{import_id}/settings`
pub async fn set(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, ImportPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let import = find(&tx, &path).await?;
    let mut faults = Faults::default();
    let read = settings::read(&given, import.settings.format, &mut faults);
    let kept = match read {
        Some(settings) => keep(&member, &tx, &import, &settings, &given, &mut faults).await?,
        None => false,
    };
    if !kept {
        drop(tx);
        return Ok(again(show::page(&member, &member.tx().await?, import, Some((&given, &faults))).await?));
    }
    tx.commit().await?;
    let said = match given.get("save_as") {
        "" => "It is read this way now.".to_owned(),
        name => format!("It is read this way now, and the way is kept as {name}."),
    };
    Ok(Either::Left(see_other(member.audience.import(import.id)).notice(said)))
}

async fn keep(
    member: &Member,
    tx: &TenantTx,
    import: &Import,
    settings: &usage_metering::Settings,
    given: &Given,
    faults: &mut Faults,
) -> PageResult<bool> {
    match usage_metering::change_import_settings(tx, import.id, settings).await {
        Ok(()) => {}
        Err(UsageError::ImportSettings(fault)) => {
            faults.say(settings::field_of(&fault.field), sentence(fault.rule));
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    }
    let name = given.get("save_as");
    if !name.is_empty() {
        match usage_metering::save_mapping(tx, name, settings, &member.actor(), member.now).await {
            Ok(()) => {}
            Err(error @ (UsageError::MappingNameMustBePlain(_) | UsageError::MappingsMustBeFew(_))) => {
                faults.say("save_as", sentence(error));
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// `POST /admin/imports/{import_id}/trial`
pub async fn trial(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    let (tx, import) = asked(&member, &path).await?;
    usage_metering::try_import(&tx, import.id, member.now).await?;
    done(&member, tx, &import, "import.try").await
}

/// `POST /admin/imports/{import_id}/start`
pub async fn start(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    let (tx, import) = asked(&member, &path).await?;
    usage_metering::start_import(&tx, import.id, member.now).await?;
    done(&member, tx, &import, "import.start").await
}

/// `POST /admin/imports/{import_id}/stop`
pub async fn stop(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    let (tx, import) = asked(&member, &path).await?;
    let because = format!("stopped by {}", member.actor());
    usage_metering::stop_import(&tx, import.id, &because, member.now).await?;
    done(&member, tx, &import, "import.stop").await
}

/// `POST /admin/imports/{import_id}/removal`
pub async fn remove(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    let (tx, import) = asked(&member, &path).await?;
    usage_metering::delete_import(&tx, import.id).await?;
    done(&member, tx, &import, "import.remove").await?;
    Ok(see_other(member.audience.imports()).notice(format!("{} is forgotten; nothing of it was counted.", import.name)))
}

async fn asked(member: &Member, path: &str) -> PageResult<(TenantTx, Import)> {
    member.must(Role::Billing).map_err(|_| PageError::NotFound)?;
    let tx = member.tx().await?;
    let import = find(&tx, path).await?;
    Ok((tx, import))
}

async fn done(member: &Member, tx: TenantTx, import: &Import, action: &str) -> PageResult<SeeOther> {
    let payload = serde_json::json!({ "name": import.name, "state": import.state.as_str() });
    tenant::record_audit(&tx, &member.actor(), action, &import.id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.import(import.id)))
}
