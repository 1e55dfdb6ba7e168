//! The brand of a reseller or a call centre: name, colours, drawing, and the host names that show it. Without white label in its
//! plan the page says so and changes nothing.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::colours::BrandColours;
use crate::dns;
use crate::error::{PageError, PageResult, sentence};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::read;
use crate::seller;
use crate::shell::Section;
use crate::views::brand::{BrandPage, HostRow};
use crate::views::fields::{Control, Field};
use crate::views::form::{Fields, FormPart};
use crate::views::parts::{Heading, Note};
use crate::views::ui::{Badge, Tone};
use actix_web::{Either, Responder, web};
use db::PlatformReason;
use tenant::{Brand, Domain, DomainClaim, Role, TenantError};

/// The colours by the field's name, with its label and the value that a new brand begins with.
const COLOURS: [(&str, &str, &str); 10] = [
    ("accent", "Buttons", "#3d4fd1"),
    ("accent_hover", "Buttons, pointed at", "#3342b5"),
    ("on_accent", "Text on buttons", "#ffffff"),
    ("accent_text", "Links", "#3747c4"),
    ("accent_soft", "Chosen rows", "#eef0fd"),
    ("canvas", "Page", "#f6f7f9"),
    ("accent_dark", "Buttons, dark", "#4f5fd6"),
    ("accent_text_dark", "Links, dark", "#a3aeff"),
    ("accent_soft_dark", "Chosen rows, dark", "#1f2340"),
    ("canvas_dark", "Page, dark", "#101116"),
];

/// What stands on the page besides what is stored.
#[derive(Default)]
struct Shown {
    given: Option<Given>,
    faults: Faults,
    note: Option<Note>,
    host: String,
}

/// `GET /admin/settings/brand`
pub async fn brand(member: Member) -> PageResult<BrandPage> {
    member.must(Role::Admin)?;
    page(&member, Shown::default()).await
}

/// `POST /admin/settings/brand`: saved, or only looked at.
pub async fn save(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, BrandPage>> {
    member.must(Role::Admin)?;
    let is_saved = given.get("do") == "save";
    if is_saved {
        must_have_white_label(&member).await?;
    }
    let mut faults = Faults::default();
    let brand = read_brand(&given, &mut faults);
    let tx = member.tx().await?;
    if let Some(brand) = brand
        && let Err(error) = tenant::set_brand(&tx, &brand, member.now).await
    {
        refuse(&mut faults, error)?;
    }
    let given = Some(given.into_inner());
    if !faults.none() {
        return Ok(again(page(&member, Shown { given, faults, ..Shown::default() }).await?));
    }
    if !is_saved {
        // Given up with its transaction: only looked at.
        drop(tx);
        let note = Some(Note::plain("Nothing is saved yet: this is how it would look."));
        return Ok(Either::Right(page(&member, Shown { given, note, ..Shown::default() }).await?.customize()));
    }
    let payload = serde_json::json!({});
    tenant::record_audit(
        &tx,
        &member.actor(),
        "brand.change",
        &member.session.tenant_id.to_string(),
        payload,
        member.now,
    )
    .await?;
    tx.commit().await?;
    let notice = "The brand is saved. Its host names show it within ten seconds.";
    Ok(Either::Left(see_other(member.audience.brand()).notice(notice)))
}

/// `POST /admin/settings/brand/hosts`: a host name is claimed.
pub async fn claim(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, BrandPage>> {
    member.must(Role::Admin)?;
    must_have_white_label(&member).await?;
    let host = given.get("host").to_ascii_lowercase();
    let mut faults = Faults::default();
    if host == member.app.host {
        faults.say("host", "Must be another one: this one is the platform's own.");
    }
    let tx = member.tx().await?;
    match tenant::claim_domain(&tx, &host, &member.actor(), member.now).await {
        Err(TenantError::HostMustBeAName(_)) => faults.say("host", "Must be a host name, such as calls.example.com."),
        other => other?,
    }
    if !faults.none() {
        drop(tx);
        return Ok(again(page(&member, Shown { faults, host, ..Shown::default() }).await?));
    }
    let payload = serde_json::json!({});
    tenant::record_audit(&tx, &member.actor(), "domain.claim", &host, payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(see_other(member.audience.brand()).notice(format!("{host} is claimed. Now prove it."))))
}

/// `POST /admin/settings/brand/hosts/check`: looks into the DNS. Answers a page and not a redirect: once it is proved, the
/// people of this organisation are at home there and no longer here.
pub async fn check(member: Member, given: web::Form<Given>) -> PageResult<BrandPage> {
    member.must(Role::Admin)?;
    must_have_white_label(&member).await?;
    let host = given.get("host").to_owned();
    let tx = member.tx().await?;
    let claims = tenant::domain_claims(&tx).await?;
    drop(tx);
    let claim = claims.into_iter().find(|claim| claim.host == host).ok_or(PageError::NotFound)?;
    // No transaction is open while the network is asked.
    let found = dns::texts(&member.app.dns, &claim.record_name()).await;
    let tx = member.tx().await?;
    let is_proved = tenant::check_claim(&tx, &claim, &found, member.now).await?;
    if !is_proved {
        tx.commit().await?;
        let note = Note::wrong(format!("{host} is not proved yet."), "What was found stands below.");
        return page(&member, Shown { note: Some(note), ..Shown::default() }).await;
    }
    tenant::record_audit(&tx, &member.actor(), "domain.prove", &host, serde_json::json!({}), member.now).await?;
    let ptx = member.app.db.platform(PlatformReason::Provision).await?;
    tenant::add_domain(&ptx, &host, member.session.tenant_id, Some(member.now)).await?;
    ptx.commit().await?;
    tx.commit().await?;
    let text = format!("Sign in at https://{host} from now on; this address knows you no longer.");
    let note = Note { lead: format!("{host} is yours and is served."), ..Note::plain(text) };
    page(&member, Shown { note: Some(note), ..Shown::default() }).await
}

/// `POST /admin/settings/brand/hosts/removal`
pub async fn remove(member: Member, given: web::Form<Given>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let host = given.get("host");
    let tx = member.tx().await?;
    tenant::drop_claim(&tx, host).await?;
    tenant::record_audit(&tx, &member.actor(), "domain.remove", host, serde_json::json!({}), member.now).await?;
    let ptx = member.app.db.platform(PlatformReason::Provision).await?;
    tenant::withdraw_domain(&ptx, host, member.session.tenant_id).await?;
    ptx.commit().await?;
    tx.commit().await?;
    Ok(see_other(member.audience.brand()).notice(format!("{host} is no longer served.")))
}

async fn has_white_label(member: &Member) -> PageResult<bool> {
    let Some(tx) = seller::seller_book(&member.app, member.session.tenant_id, member.now).await? else {
        return Ok(false);
    };
    Ok(subscription::features_of_customer(&tx, tx.customer_id(), member.now).await?.contains(seller::WHITE_LABEL))
}

async fn must_have_white_label(member: &Member) -> PageResult<()> {
    match has_white_label(member).await? {
        true => Ok(()),
        false => Err(PageError::Refused("Your plan has no white label. Your seller adds it to your plan.".into())),
    }
}

fn read_brand(given: &Given, faults: &mut Faults) -> Option<Brand> {
    let size = |faults: &mut Faults, name: &str, least: u32, most: u32| {
        let size = faults.keep(name, read::count(given.get(name), least, most))?;
        u8::try_from(size).ok()
    };
    let (radius, logo_height) = (size(faults, "radius", 0, 14), size(faults, "logo_height", 24, 28));
    let support = given.get("support_email");
    if !support.is_empty() && support.parse::<lettre::Address>().is_err() {
        faults.say("support_email", "Must be an e-mail address, or empty.");
    }
    let colour = |name: &str| given.get(name).to_ascii_lowercase();
    let colours = BrandColours {
        accent: colour("accent"),
        accent_hover: colour("accent_hover"),
        on_accent: colour("on_accent"),
        accent_text: colour("accent_text"),
        accent_soft: colour("accent_soft"),
        accent_dark: colour("accent_dark"),
        accent_text_dark: colour("accent_text_dark"),
        accent_soft_dark: colour("accent_soft_dark"),
        canvas: colour("canvas"),
        canvas_dark: colour("canvas_dark"),
        radius: radius?,
        logo_height: logo_height?,
    };
    Some(Brand {
        name: given.get("name").to_owned(),
        logo_svg: Some(given.get("logo_svg").to_owned()).filter(|svg| !svg.is_empty()),
        colours,
        support_email: Some(support.to_owned()).filter(|email| !email.is_empty()),
    })
}

/// What the brand's own rules refuse, at its field.
fn refuse(faults: &mut Faults, error: TenantError) -> PageResult<()> {
    match error {
        TenantError::NameMustNotBeEmpty => faults.say("name", "Must not be empty."),
        TenantError::ColourMustHaveSixDigits { name } => {
            faults.say(name, "Must be six hexadecimal digits after a #, as #3d4fd1.");
        }
        TenantError::ContrastMustBeReadable { text, background, ratio } => {
            let on = COLOURS.iter().find(|(name, ..)| *name == background).map_or(background, |(_, label, _)| label);
            faults.say(text, format!("Has a contrast of {ratio}:1 on \"{on}\"; 4.5:1 is needed to be read."));
        }
        TenantError::LogoMustBePlain(_) => faults.say("logo_svg", sentence(error)),
        other => return Err(other.into()),
    }
    Ok(())
}

async fn page(member: &Member, shown: Shown) -> PageResult<BrandPage> {
    let may_change = has_white_label(member).await?;
    let tx = member.tx().await?;
    let stored = tenant::brand(&tx).await?;
    let claims = tenant::domain_claims(&tx).await?;
    let ptx = member.app.db.platform(PlatformReason::Provision).await?;
    let domains = tenant::domains(&ptx, member.session.tenant_id).await?;
    ptx.commit().await?;
    let mut faults = shown.faults;
    let values = Values { given: shown.given.as_ref(), stored: stored.as_ref(), member };
    let colours = match &shown.given {
        Some(given) => read_brand(given, &mut faults).map(|brand| brand.colours),
        None => Some(stored.as_ref().map_or_else(usual_colours, |brand| brand.colours.clone())),
    };
    let is_drawn = COLOURS.iter().all(|(name, ..)| is_colour(&values.of(name)));
    let audience = member.audience;
    let note = shown.note.or_else(|| {
        let text = "A brand and a host name of your own come with white label; your seller adds it to your plan.";
        (!may_change).then(|| Note { lead: "Your plan has no white label.".into(), ..Note::plain(text) })
    });
    Ok(BrandPage {
        shell: shell(member, &tx, "Brand", Section::Brand).await?,
        heading: Heading::new("Your brand").facts("What your customers see on your host names and in letters"),
        note,
        action: audience.brand(),
        parts: parts(&values, &faults),
        colours: colours.filter(|_| is_drawn),
        name: values.of("name"),
        hosts: hosts(member, &claims, &domains),
        host: shown.host,
        host_error: faults.at("host"),
        host_action: audience.brand_hosts(),
        check_action: audience.brand_host_check(),
        removal_action: audience.brand_host_removal(),
        may_change,
    })
}

/// A value of the form: as it was given, else as it is stored, else as a new brand begins.
struct Values<'a> {
    given: Option<&'a Given>,
    stored: Option<&'a Brand>,
    member: &'a Member,
}

impl Values<'_> {
    fn of(&self, name: &str) -> String {
        if let Some(given) = self.given {
            return given.get(name).to_owned();
        }
        let usual = usual_colours();
        let colours = self.stored.map_or(&usual, |brand| &brand.colours);
        match (name, self.stored) {
            ("name", Some(brand)) => brand.name.clone(),
            ("name", None) => self.member.session.organisation.name.clone(),
            ("support_email", brand) => brand.and_then(|brand| brand.support_email.clone()).unwrap_or_default(),
            ("logo_svg", brand) => brand.and_then(|brand| brand.logo_svg.clone()).unwrap_or_default(),
            ("radius", _) => colours.radius.to_string(),
            ("logo_height", _) => colours.logo_height.to_string(),
            _ => colour_of(colours, name).to_owned(),
        }
    }
}

fn usual_colours() -> BrandColours {
    let usual =
        |name: &str| COLOURS.iter().find(|(known, ..)| *known == name).map_or("", |(.., value)| value).to_owned();
    BrandColours {
        accent: usual("accent"),
        accent_hover: usual("accent_hover"),
        on_accent: usual("on_accent"),
        accent_text: usual("accent_text"),
        accent_soft: usual("accent_soft"),
        accent_dark: usual("accent_dark"),
        accent_text_dark: usual("accent_text_dark"),
        accent_soft_dark: usual("accent_soft_dark"),
        canvas: usual("canvas"),
        canvas_dark: usual("canvas_dark"),
        radius: 8,
        logo_height: 24,
    }
}

fn colour_of<'a>(colours: &'a BrandColours, name: &str) -> &'a str {
    match name {
        "accent" => &colours.accent,
        "accent_hover" => &colours.accent_hover,
        "on_accent" => &colours.on_accent,
        "accent_text" => &colours.accent_text,
        "accent_soft" => &colours.accent_soft,
        "accent_dark" => &colours.accent_dark,
        "accent_text_dark" => &colours.accent_text_dark,
        "accent_soft_dark" => &colours.accent_soft_dark,
        "canvas" => &colours.canvas,
        _ => &colours.canvas_dark,
    }
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn parts(values: &Values<'_>, faults: &Faults) -> Vec<FormPart> {
    let text = |name: &'static str, label: &str| Field::text(name, label, values.of(name)).error(faults.at(name));
    let named = Fields::new()
        .half(text("name", "Name").required())
        .half(text("support_email", "Support address").control(Control::Email).hint("Where answers to letters go"))
        .whole(
            text("logo_svg", "Logo, as SVG")
                .control(Control::Area)
                .hint("A plain drawing up to 64 KiB: shapes and text, no script, no style, nothing from outside. Empty: the initials."),
        );
    let colours = COLOURS.iter().fold(Fields::new(), |fields, (name, label, _)| fields.half(text(name, label)));
    let sizes = Fields::new()
        .half(Field::figure("radius", "Corners", values.of("radius")).after("px").error(faults.at("radius")))
        .half(
            Field::figure("logo_height", "Height of the logo", values.of("logo_height"))
                .after("px")
                .error(faults.at("logo_height")),
        );
    vec![
        FormPart { title: "Name", text: "It stands where the platform's would.", fields: named },
        FormPart { title: "Colours", text: "Text must be read easily on what lies below it.", fields: colours },
        FormPart { title: "Shape", text: "", fields: sizes },
    ]
}

fn hosts(member: &Member, claims: &[DomainClaim], domains: &[Domain]) -> Vec<HostRow> {
    let served = |host: &str| domains.iter().any(|domain| domain.host == host && domain.verified_at.is_some());
    let given = domains.iter().filter(|domain| domain.verified_at.is_some()).map(|domain| HostRow {
        host: domain.host.clone(),
        state: Badge::new("Served", Tone::Good),
        note: String::new(),
        record: None,
    });
    let claimed = claims.iter().filter(|claim| !served(&claim.host)).map(|claim| {
        let checked = claim.checked_at.map(|at| format::stamp(at, &member.zone).text);
        let note = match (checked, &claim.problem) {
            (Some(at), Some(problem)) => format!("Looked at {at}: {problem}."),
            _ => String::new(),
        };
        let record = Some((claim.record_name(), claim.record_text()));
        HostRow { host: claim.host.clone(), state: Badge::new("Not proved yet", Tone::Soon), note, record }
    });
    given.chain(claimed).collect()
}
