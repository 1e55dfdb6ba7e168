//! Twelve customers who call: prepaid callers with wallets, postpaid ones, and client companies on a plan.

use super::catalogue::PlanCode;
use super::{JONAS_PHONE, World, people};
use chrono::{DateTime, Utc};
use db::{CustomerId, Db, TenantId};
use subscription::{Billing, NewCustomer, NewSubscription};

/// The customer who moves away and takes back most of what is in the wallet.
pub const MOVES_AWAY: &str = "K-3004";

/// One of the twelve.
pub struct Caller {
    pub centre: Centre,
    pub customer_no: &'static str,
    pub name: &'static str,
    pub email: &'static str,
    pub phone: &'static str,
    pub billing: Billing,
    pub plan: Option<PlanCode>,
    /// Account number and PIN for callers who ring from elsewhere.
    pub pin: Option<(&'static str, &'static str)>,
    pub address: [&'static str; 2],
    /// Calls in an average working week.
    pub calls_a_week: u32,
}

/// Which of the two call centres.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Centre {
    Nordlicht,
    Brightline,
}

impl Centre {
    /// Its book.
    pub fn tenant_id(self, world: &World) -> TenantId {
        match self {
            Self::Nordlicht => world.nordlicht,
            Self::Brightline => world.brightline,
        }
    }

    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Nordlicht => ("Europe/Berlin", "DE"),
            Self::Brightline => ("Europe/Dublin", "IE"),
        }
    }
}

/// A caller as created.
pub struct Cast {
    pub caller: &'static Caller,
    pub customer_id: CustomerId,
}

use Centre::{Brightline, Nordlicht};

#[allow(clippy::too_many_arguments, reason = "a row of the table below")]
const fn caller(
    centre: Centre,
    customer_no: &'static str,
    name: &'static str,
    email: &'static str,
    phone: &'static str,
    billing: Billing,
    address: [&'static str; 2],
    calls_a_week: u32,
) -> Caller {
    Caller { centre, customer_no, name, email, phone, billing, plan: None, pin: None, address, calls_a_week }
}

impl Caller {
    const fn on(mut self, plan: PlanCode) -> Self {
        self.plan = Some(plan);
        self
    }
    const fn with_pin(mut self, account: &'static str, pin: &'static str) -> Self {
        self.pin = Some((account, pin));
        self
    }
}

static CALLERS: [Caller; 12] = [
    caller(
        Nordlicht,
        "K-3001",
        "Jonas Weber",
        "jonas.weber@post.example",
        JONAS_PHONE,
        Billing::Prepaid,
        ["Kastanienallee 8", "10435 Berlin"],
        5,
    )
    .with_pin("30011", "4711"),
    caller(
        Nordlicht,
        "K-3002",
        "Miriam Albers",
        "miriam.albers@post.example",
        "+491608841207",
        Billing::Prepaid,
        ["Sielwall 41", "28203 Bremen"],
        4,
    ),
    caller(
        Nordlicht,
        "K-3003",
        "Emre Demir",
        "emre.demir@post.example",
        "+491755520183",
        Billing::Prepaid,
        ["Keupstraße 22", "51063 Köln"],
        6,
    ),
    caller(
        Nordlicht,
        "K-3004",
        "Clara Hoffmann",
        "clara.hoffmann@post.example",
        "+4915201730364",
        Billing::Prepaid,
        ["Schanzenstraße 3", "20357 Hamburg"],
        3,
    ),
    caller(
        Nordlicht,
        "K-3005",
        "Hafenkontor GmbH",
        "office@hafenkontor.example",
        "+494036201188",
        Billing::Postpaid,
        ["Am Sandtorkai 50", "20457 Hamburg"],
        14,
    )
    .on(PlanCode::PerEvent),
    caller(
        Nordlicht,
        "K-3006",
        "Rowe Instruments",
        "accounts@rowe.example",
        "+498921550731",
        Billing::Postpaid,
        ["Lindwurmstraße 95", "80337 München"],
        9,
    )
    .on(PlanCode::Mixed),
    caller(
        Nordlicht,
        "K-3007",
        "Solana Reisen",
        "buero@solana.example",
        "+496924247019",
        Billing::Postpaid,
        ["Berger Straße 170", "60385 Frankfurt am Main"],
        0,
    )
    .on(PlanCode::PerHour),
    caller(
        Nordlicht,
        "K-3008",
        "Kanzlei Brömmel",
        "post@broemmel.example",
        "+493088721540",
        Billing::Postpaid,
        ["Kantstraße 24", "10623 Berlin"],
        7,
    ),
    caller(
        Brightline,
        "B-4001",
        "Patrick Keane",
        "patrick.keane@post.example",
        "+353861234410",
        Billing::Prepaid,
        ["22 Dominick Street", "Galway H91 X2P4"],
        5,
    )
    .with_pin("40011", "2580"),
    caller(
        Brightline,
        "B-4002",
        "Orla Fitzgerald",
        "orla.fitzgerald@post.example",
        "+353872209913",
        Billing::Prepaid,
        ["7 Oliver Plunkett Street", "Cork T12 W8KP"],
        4,
    ),
    caller(
        Brightline,
        "B-4003",
        "Shannon Freight",
        "accounts@shannonfreight.example",
        "+35361440120",
        Billing::Postpaid,
        ["Dock Road 3", "Limerick V94 R2KN"],
        12,
    )
    .on(PlanCode::PerEvent),
    caller(
        Brightline,
        "B-4004",
        "Liffey Outfitters",
        "billing@liffeyoutfitters.example",
        "+35314427781",
        Billing::Postpaid,
        ["Capel Street 61", "Dublin D01 V9Y2"],
        6,
    ),
];

/// Creates the twelve and subscribes those who are on a plan.
pub async fn create(db: &Db, world: &World, began: DateTime<Utc>) -> anyhow::Result<Vec<Cast>> {
    let mut cast = Vec::with_capacity(CALLERS.len());
    for caller in &CALLERS {
        let tenant_id = caller.centre.tenant_id(world);
        let (time_zone, country) = caller.centre.place();
        let tx = db.tenant(tenant_id).await?;
        let customer = NewCustomer {
            email: Some(caller.email.into()),
            billing: caller.billing,
            address_lines: caller.address.iter().map(|line| (*line).to_owned()).collect(),
            ..NewCustomer::prepaid(
                caller.customer_no,
                caller.name,
                super::euro(),
                time_zone,
                country,
                began.date_naive(),
            )
        };
        let customer_id = subscription::create_customer(&tx, &customer, began).await?;
        subscription::add_phone(&tx, customer_id, caller.phone, began).await?;
        if let Some((account_no, pin)) = caller.pin {
            subscription::set_pin(&tx, customer_id, account_no, pin, began).await?;
        }
        if let Some(code) = caller.plan {
            let plan_version_id = super::catalogue::version_of(&tx, code).await?;
            let wish = NewSubscription {
                customer_id,
                plan_version_id,
                seats: 0,
                anchor_on: began.date_naive(),
                starts_at: began,
                trial: false,
            };
            subscription::subscribe(&tx, &wish, began).await?;
        }
        tx.commit().await?;
        if caller.phone == JONAS_PHONE {
            people::add_portal_login(db, tenant_id, customer_id, caller.name, caller.email, began).await?;
        }
        cast.push(Cast { caller, customer_id });
    }
    Ok(cast)
}
