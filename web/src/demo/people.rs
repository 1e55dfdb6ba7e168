//! Who may sign in to the demo world, and the agents of its call centres.

use super::World;
use chrono::{DateTime, Utc};
use db::{CustomerId, Db, PlatformReason, TenantId};
use tenant::{NewMember, Role};

/// One password for every demo login; printed at start. Never made outside the demo world.
pub const PASSWORD: &str = "ringtill demo world";

/// A login of the demo world, for each audience.
#[derive(Clone, Copy, Debug)]
pub struct Login {
    pub audience: &'static str,
    pub path: &'static str,
    /// True where the login belongs to the reseller's host.
    pub on_voxhouse: bool,
    pub name: &'static str,
    pub email: &'static str,
}

/// The logins that `make run` prints.
pub fn logins() -> [Login; 6] {
    let login = |audience, path, on_voxhouse, name, email| Login { audience, path, on_voxhouse, name, email };
    [
        login("Operator", "/ops", false, "Ada Behrens", "ops@ringtill.example"),
        login("Reseller", "/reseller", true, "Tom Voss", "admin@voxhouse.example"),
        login("Tenant admin", "/admin", false, "Henrik Bauer", "admin@nordlicht.example"),
        login("Tenant admin", "/admin", true, "Niamh Doyle", "admin@brightline.example"),
        login("Agent", "/agent", false, "Lena Vogt", "lena@nordlicht.example"),
        login("Customer", "/portal", false, "Jonas Weber", "jonas.weber@post.example"),
    ]
}

const NORDLICHT_AGENTS: [(&str, &str); 5] = [
    ("Lena Vogt", "lena"),
    ("Marek Wolf", "marek"),
    ("Aylin Kaya", "aylin"),
    ("Jan Petersen", "jan"),
    ("Sofia Brandt", "sofia"),
];
const BRIGHTLINE_AGENTS: [(&str, &str); 5] = [
    ("Ciara Nolan", "ciara"),
    ("Sean Byrne", "sean"),
    ("Aoife Walsh", "aoife"),
    ("Declan Ryan", "declan"),
    ("Maeve Kelly", "maeve"),
];

/// Creates members and agents. Passwords are hashed once each, so this takes a moment.
pub async fn create(db: &Db, world: &World, began: DateTime<Utc>) -> anyhow::Result<()> {
    let [operator, reseller, nordlicht, brightline, ..] = logins();
    for (login, tenant_id) in [
        (operator, world.operator),
        (reseller, world.reseller),
        (nordlicht, world.nordlicht),
        (brightline, world.brightline),
    ] {
        add(db, tenant_id, login.name, login.email, Role::Owner, None, began).await?;
    }
    for (tenant_id, slug, agents) in
        [(world.nordlicht, "nordlicht", NORDLICHT_AGENTS), (world.brightline, "brightline", BRIGHTLINE_AGENTS)]
    {
        for (name, first) in agents {
            let member = add(db, tenant_id, name, &format!("{first}@{slug}.example"), Role::Agent, None, began).await?;
            let tx = db.tenant(tenant_id).await?;
            tenant::add_agent(&tx, member, name, &format!("{first}.{slug}"), began).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Lets a customer sign in to the portal.
pub async fn add_portal_login(
    db: &Db,
    seller: TenantId,
    customer_id: CustomerId,
    name: &str,
    email: &str,
    began: DateTime<Utc>,
) -> anyhow::Result<()> {
    add(db, seller, name, email, Role::Customer, Some(customer_id), began).await?;
    Ok(())
}

async fn add(
    db: &Db,
    tenant_id: TenantId,
    name: &str,
    email: &str,
    role: Role,
    customer_id: Option<CustomerId>,
    began: DateTime<Utc>,
) -> anyhow::Result<db::MemberId> {
    let tx = db.platform(PlatformReason::Provision).await?;
    let person_id = tenant::create_person(&tx, email, name, PASSWORD, began).await?;
    tx.commit().await?;
    let tx = db.tenant(tenant_id).await?;
    let member = NewMember { person_id, name: name.into(), email: email.into(), role, customer_id };
    let member_id = tenant::add_member(&tx, member, began).await?;
    tx.commit().await?;
    Ok(member_id)
}
