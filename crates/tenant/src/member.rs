use crate::error::TenantError;
use crate::organisation::OrganisationKind;
use crate::store;
use chrono::{DateTime, Utc};
use db::{CustomerId, MemberId, PersonId, PlatformTx, TenantId, TenantTx};

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, including other owners.
    Owner,
    /// Everything but owners.
    Admin,
    /// Money: invoices, payments, prices.
    Billing,
    /// Reads, and helps customers.
    Support,
    /// Takes calls.
    Agent,
    /// A customer in the portal.
    Customer,
}

impl Role {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Billing => "billing",
            Self::Support => "support",
            Self::Agent => "agent",
            Self::Customer => "customer",
        }
    }

    pub(crate) fn read(text: &str) -> Result<Self, TenantError> {
        [Self::Owner, Self::Admin, Self::Billing, Self::Support, Self::Agent, Self::Customer]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| TenantError::StoredValueMustBeKnown { what: "role", found: text.to_owned() })
    }
}

/// A person with a role in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: MemberId,
    pub person_id: PersonId,
    pub name: String,
    pub email: String,
    pub role: Role,
    /// For [`Role::Customer`]: whom the person acts for.
    pub customer_id: Option<CustomerId>,
    pub created_at: DateTime<Utc>,
}

/// A member to be added.
#[derive(Clone, Debug)]
pub struct NewMember {
    pub person_id: PersonId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub customer_id: Option<CustomerId>,
}

/// One of the places that a person may sign in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub tenant_id: TenantId,
    pub organisation_name: String,
    pub organisation_kind: OrganisationKind,
    pub member_id: MemberId,
    pub role: Role,
    pub customer_id: Option<CustomerId>,
}

/// Adds a member to this organisation.
pub async fn add_member(tx: &TenantTx, new: NewMember, now: DateTime<Utc>) -> Result<MemberId, TenantError> {
    if (new.role == Role::Customer) != new.customer_id.is_some() {
        return Err(TenantError::CustomerRoleNamesItsCustomer);
    }
    if new.name.trim().is_empty() {
        return Err(TenantError::NameMustNotBeEmpty);
    }
    let id = MemberId::new();
    store::member::insert(tx, id, &new, now).await.map_err(|error| match db::constraint_of(&error).as_deref() {
        Some("member_once" | "member_customer_once") => TenantError::MemberIsThere,
        _ => TenantError::Db(error),
    })?;
    Ok(id)
}

/// The members of this organisation, by name; removed ones are left out.
pub async fn members(tx: &TenantTx) -> Result<Vec<Member>, TenantError> {
    store::member::all(tx).await
}

/// Takes a member's role away; its sessions stop at the next request.
pub async fn remove_member(tx: &TenantTx, member_id: MemberId, now: DateTime<Utc>) -> Result<(), TenantError> {
    match store::member::remove(tx, member_id, now).await? {
        0 => Err(TenantError::MemberMustExist),
        _ => Ok(()),
    }
}

/// All memberships of a person, by organisation and role.
pub async fn memberships(ptx: &PlatformTx, person: PersonId) -> Result<Vec<Membership>, TenantError> {
    store::member::of_person(ptx, person).await
}
