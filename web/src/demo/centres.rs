//! The tree: operator, reseller under its own domain, one call centre below each.

use super::{VOXHOUSE_HOST, World};
use chrono::{DateTime, Utc};
use db::{CustomerId, Db, PlatformReason, TenantId};
use subscription::{Billing, NewCustomer};
use tenant::{Brand, BrandColours, NewOrganisation, OrganisationKind};

/// Only the demo world has a call centre of this name.
pub const DEMO_SLUG: &str = "nordlicht";

struct Centre {
    kind: OrganisationKind,
    name: &'static str,
    slug: &'static str,
    legal_name: &'static str,
    address: &'static [&'static str],
    country: &'static str,
    time_zone: &'static str,
    tax_id: &'static str,
    tax_percent: u32,
    prefix: &'static str,
    bank: (&'static str, &'static str),
}

const RINGTILL: Centre = Centre {
    kind: OrganisationKind::Operator,
    name: "Ringtill",
    slug: "ringtill",
    legal_name: "Ringtill Platform GmbH",
    address: &["Torstraße 140", "10119 Berlin", "Germany"],
    country: "DE",
    time_zone: "Europe/Berlin",
    tax_id: "DE811907980",
    tax_percent: 19,
    prefix: "RT",
    bank: ("DE89370400440532013000", "COBADEFFXXX"),
};
const VOXHOUSE: Centre = Centre {
    kind: OrganisationKind::Reseller,
    name: "Voxhouse",
    slug: "voxhouse",
    legal_name: "Voxhouse Telecom GmbH",
    address: &["Mönckebergstraße 7", "20095 Hamburg", "Germany"],
    country: "DE",
    time_zone: "Europe/Berlin",
    tax_id: "DE136695976",
    tax_percent: 19,
    prefix: "VX",
    bank: ("DE02120300000000202051", "BYLADEM1001"),
};
const NORDLICHT: Centre = Centre {
    kind: OrganisationKind::Tenant,
    name: "Nordlicht Beratung",
    slug: DEMO_SLUG,
    legal_name: "Nordlicht Beratung GmbH",
    address: &["Invalidenstraße 112", "10115 Berlin", "Germany"],
    country: "DE",
    time_zone: "Europe/Berlin",
    tax_id: "DE129273398",
    tax_percent: 19,
    prefix: "NB",
    bank: ("DE02500105170137075030", "INGDDEFFXXX"),
};
const BRIGHTLINE: Centre = Centre {
    kind: OrganisationKind::Tenant,
    name: "Brightline Support",
    slug: "brightline",
    legal_name: "Brightline Support Ltd",
    address: &["14 Merrion Row", "Dublin D02 KV64", "Ireland"],
    country: "IE",
    time_zone: "Europe/Dublin",
    tax_id: "IE6388047V",
    tax_percent: 23,
    prefix: "BL",
    bank: ("IE29AIBK93115212345678", "AIBKIE2D"),
};

/// Creates the organisations, and each child as a customer of its parent.
pub async fn create(db: &Db, began: DateTime<Utc>) -> anyhow::Result<World> {
    let tx = db.platform(PlatformReason::Provision).await?;
    let operator = tenant::create_organisation(&tx, &organisation(&RINGTILL), began).await?;
    let reseller = tenant::create_organisation(&tx, &organisation(&VOXHOUSE), began).await?;
    let nordlicht = tenant::create_organisation(&tx, &organisation(&NORDLICHT), began).await?;
    let brightline = tenant::create_organisation(&tx, &organisation(&BRIGHTLINE), began).await?;
    tenant::add_domain(&tx, VOXHOUSE_HOST, reseller, Some(began)).await?;
    tx.commit().await?;

    let reseller_as_customer = child_as_customer(db, operator, reseller, &VOXHOUSE, "C-1001", began).await?;
    let nordlicht_as_customer = child_as_customer(db, operator, nordlicht, &NORDLICHT, "C-1002", began).await?;
    let brightline_as_customer = child_as_customer(db, reseller, brightline, &BRIGHTLINE, "V-2001", began).await?;
    let tx = db.platform(PlatformReason::Provision).await?;
    tenant::set_parent(&tx, reseller, operator, reseller_as_customer, began).await?;
    tenant::set_parent(&tx, nordlicht, operator, nordlicht_as_customer, began).await?;
    tenant::set_parent(&tx, brightline, reseller, brightline_as_customer, began).await?;
    tx.commit().await?;

    for tenant_id in [operator, reseller, nordlicht, brightline] {
        let tx = db.tenant(tenant_id).await?;
        usage_metering::define_standard_meters(&tx).await?;
        tx.commit().await?;
    }
    let tx = db.tenant(reseller).await?;
    tenant::set_brand(&tx, &voxhouse_brand(), began).await?;
    tx.commit().await?;
    Ok(World {
        operator,
        reseller,
        nordlicht,
        brightline,
        reseller_as_customer,
        nordlicht_as_customer,
        brightline_as_customer,
    })
}

fn organisation(centre: &Centre) -> NewOrganisation {
    NewOrganisation {
        kind: centre.kind,
        name: centre.name.into(),
        slug: centre.slug.into(),
        currency: super::euro(),
        time_zone: centre.time_zone.into(),
        country: centre.country.into(),
        legal_name: centre.legal_name.into(),
        address_lines: lines(centre.address),
        contact_lines: vec![format!("billing@{}.example", centre.slug)],
        tax_id: Some(centre.tax_id.into()),
        bank: vec![("IBAN".into(), centre.bank.0.into()), ("BIC".into(), centre.bank.1.into())],
        language: "en".into(),
        series_prefix: centre.prefix.into(),
        tax_percent: centre.tax_percent.into(),
        round_calls_to: tenant::RoundCallsTo::Micros,
    }
}

async fn child_as_customer(
    db: &Db,
    seller: TenantId,
    child: TenantId,
    centre: &Centre,
    customer_no: &str,
    began: DateTime<Utc>,
) -> anyhow::Result<CustomerId> {
    let tx = db.tenant(seller).await?;
    let customer = NewCustomer {
        email: Some(format!("billing@{}.example", centre.slug)),
        organisation_id: Some(child),
        billing: Billing::Postpaid,
        address_lines: lines(centre.address),
        tax_id: Some(centre.tax_id.into()),
        // A business in another member state accounts for the tax itself (Directive 2006/112/EC, article 196).
        tax_treatment: if centre.country == "DE" {
            subscription::TaxTreatment::Standard
        } else {
            subscription::TaxTreatment::ReverseCharge
        },
        ..NewCustomer::prepaid(
            customer_no,
            centre.legal_name,
            super::euro(),
            centre.time_zone,
            centre.country,
            began.date_naive(),
        )
    };
    let id = subscription::create_customer(&tx, &customer, began).await?;
    tx.commit().await?;
    Ok(id)
}

fn lines(from: &[&str]) -> Vec<String> {
    from.iter().map(|line| (*line).to_owned()).collect()
}

fn voxhouse_brand() -> Brand {
    Brand {
        name: "Voxhouse".into(),
        logo_svg: Some(include_str!("voxhouse.svg").into()),
        colours: BrandColours {
            accent: "#7a2a5e".into(),
            accent_hover: "#641f4c".into(),
            on_accent: "#ffffff".into(),
            accent_text: "#7a2a5e".into(),
            accent_soft: "#f8edf4".into(),
            accent_dark: "#a8457f".into(),
            accent_text_dark: "#eda4cd".into(),
            accent_soft_dark: "#341d2b".into(),
            canvas: "#f8f5f2".into(),
            canvas_dark: "#121011".into(),
            radius: 12,
            logo_height: 26,
        },
        support_email: Some("help@voxhouse.example".into()),
    }
}
