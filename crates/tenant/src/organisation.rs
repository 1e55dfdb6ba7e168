use crate::error::TenantError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{PlatformTx, TenantId, TenantTx};
use money::{Currency, Decimal};

/// What an organisation is in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganisationKind {
    /// The root: runs the platform.
    Operator,
    /// Sells to tenants of its own.
    Reseller,
    /// A call centre, a consultant, a support desk.
    Tenant,
}

impl OrganisationKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Reseller => "reseller",
            Self::Tenant => "tenant",
        }
    }

    pub(crate) fn read(text: &str) -> Result<Self, TenantError> {
        match text {
            "operator" => Ok(Self::Operator),
            "reseller" => Ok(Self::Reseller),
            "tenant" => Ok(Self::Tenant),
            other => Err(TenantError::StoredValueMustBeKnown { what: "organisation kind", found: other.to_owned() }),
        }
    }
}

/// What a call's charge is rounded to at its close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoundCallsTo {
    /// Millionths of the currency.
    #[default]
    Micros,
    /// The currency's minor unit (cents).
    Minor,
}

impl RoundCallsTo {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Micros => "micros",
            Self::Minor => "minor",
        }
    }
}

/// A node of the tree: the owner of a book.
#[derive(Clone, Debug, PartialEq)]
pub struct Organisation {
    pub id: TenantId,
    pub kind: OrganisationKind,
    pub name: String,
    /// Its place in addresses: a-z, 0-9, -.
    pub slug: String,
    /// Of its own books.
    pub currency: Currency,
    /// IANA name.
    pub time_zone: String,
    /// ISO 3166, two letters.
    pub country: String,
    pub legal_name: String,
    pub address_lines: Vec<String>,
    pub contact_lines: Vec<String>,
    pub tax_id: Option<String>,
    /// As printed in a payment block: ("IBAN", "DE..").
    pub bank: Vec<(String, String)>,
    /// Of its documents.
    pub language: String,
    /// Of its document numbers.
    pub series_prefix: String,
    /// Percent charged to customers of its own country.
    pub tax_percent: Decimal,
    pub round_calls_to: RoundCallsTo,
    pub created_at: DateTime<Utc>,
    pub suspended_at: Option<DateTime<Utc>>,
}

/// An organisation to be created.
#[derive(Clone, Debug)]
pub struct NewOrganisation {
    pub kind: OrganisationKind,
    pub name: String,
    pub slug: String,
    pub currency: Currency,
    pub time_zone: String,
    pub country: String,
    pub legal_name: String,
    pub address_lines: Vec<String>,
    pub contact_lines: Vec<String>,
    pub tax_id: Option<String>,
    pub bank: Vec<(String, String)>,
    pub language: String,
    pub series_prefix: String,
    pub tax_percent: Decimal,
    pub round_calls_to: RoundCallsTo,
}

/// Creates an organisation; its parent is set apart, by [`crate::set_parent`].
pub async fn create_organisation(
    ptx: &PlatformTx,
    new: &NewOrganisation,
    now: DateTime<Utc>,
) -> Result<TenantId, TenantError> {
    check(new)?;
    let id = TenantId::new();
    store::organisation::insert(ptx, id, new, now).await.map_err(|error| {
        match db::constraint_of(&error).as_deref() {
            Some("organisation_slug_key") => TenantError::SlugIsTaken(new.slug.clone()),
            _ => TenantError::Db(error),
        }
    })?;
    Ok(id)
}

fn check(new: &NewOrganisation) -> Result<(), TenantError> {
    if new.name.trim().is_empty() || new.legal_name.trim().is_empty() {
        return Err(TenantError::NameMustNotBeEmpty);
    }
    let slug_is_simple = (2..=40).contains(&new.slug.len())
        && new.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !slug_is_simple {
        return Err(TenantError::SlugMustBeSimple(new.slug.clone()));
    }
    if jiff::tz::TimeZone::get(&new.time_zone).is_err() {
        return Err(TenantError::TimeZoneMustBeKnown(new.time_zone.clone()));
    }
    if new.country.len() != 2 || !new.country.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(TenantError::CountryMustBeTwoLetters(new.country.clone()));
    }
    let prefix = &new.series_prefix;
    if !(1..=8).contains(&prefix.len()) || !prefix.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        return Err(TenantError::SeriesPrefixMustBeSimple(prefix.clone()));
    }
    if new.tax_percent < Decimal::ZERO || new.tax_percent > Decimal::ONE_HUNDRED {
        return Err(TenantError::TaxPercentMustBeARate(new.tax_percent));
    }
    Ok(())
}

/// The organisation whose transaction this is.
pub async fn organisation(tx: &TenantTx) -> Result<Organisation, TenantError> {
    store::organisation::find(tx, tx.tenant_id()).await?.ok_or(TenantError::OrganisationMustExist)
}

/// Any organisation.
pub async fn organisation_by_id(ptx: &PlatformTx, id: TenantId) -> Result<Option<Organisation>, TenantError> {
    store::organisation::find(ptx, id).await
}

/// The organisation with this slug.
pub async fn organisation_by_slug(ptx: &PlatformTx, slug: &str) -> Result<Option<Organisation>, TenantError> {
    store::organisation::find_by_slug(ptx, slug).await
}

/// All organisations, by name.
pub async fn organisations(ptx: &PlatformTx) -> Result<Vec<Organisation>, TenantError> {
    store::organisation::all(ptx).await
}

/// Suspends an organisation, and with it everything below it. Suspending twice keeps the first instant.
pub async fn suspend_organisation(ptx: &PlatformTx, id: TenantId, now: DateTime<Utc>) -> Result<(), TenantError> {
    store::organisation::set_suspended(ptx, id, Some(now)).await
}

/// Ends a suspension.
pub async fn restore_organisation(ptx: &PlatformTx, id: TenantId, _now: DateTime<Utc>) -> Result<(), TenantError> {
    store::organisation::set_suspended(ptx, id, None).await
}
