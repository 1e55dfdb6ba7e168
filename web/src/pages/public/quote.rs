//! A quote as its reader sees it, under the seller's name: what is offered, until when, and accepting it.
//! Invariant: only its token leads here, only on the host where the seller is shown, and accepting twice is once.

use crate::answer::see_other;
use crate::app::App;
use crate::error::{PageError, PageResult};
use crate::extract;
use crate::format;
use crate::host::Site;
use crate::pages::book::words::{civil_day, day};
use crate::pages::door;
use crate::pages::form::{self, Faults, Given};
use crate::pages::offer::{offer, state};
use crate::shell::{Brand, Shell};
use crate::urls;
use crate::views::fields::{Control, Field};
use crate::views::form::Fields;
use crate::views::parts::{Fact, Facts, Heading, Note};
use crate::views::quotes::{AcceptForm, PublicQuote};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use db::{PlatformReason, TenantId, TenantTx};
use jiff::tz::TimeZone;
use subscription::{Acceptance, Billing, Quote, QuoteState, QuotedCustomer};
use tenant::{Organisation, OrganisationKind};

/// The domain's fields, and ours.
const FIELDS: [(&str, &str); 6] = [
    ("accepted_by", "person"),
    ("email", "email"),
    ("name", "company"),
    ("country", "country"),
    ("customer_id", "person"),
    ("code", "person"),
];

/// A quote, who makes it, and a transaction in the seller's book.
struct Reader {
    app: App,
    site: Site,
    token: String,
    now: DateTime<Utc>,
    tx: TenantTx,
    seller: Organisation,
    quote: Quote,
}

impl Reader {
    /// The quote of a link; nothing where the link is none, or of somebody who is not shown on this host.
    async fn open(app: &App, site: Site, token: &str) -> PageResult<Reader> {
        let tenant_id: TenantId = subscription::tenant_of_token(token).ok_or(PageError::NotFound)?;
        let now = app.clock.now();
        let ptx = app.db.platform(PlatformReason::WalkTheTree).await?;
        let is_known = tenant::organisation_by_id(&ptx, tenant_id).await?.is_some();
        let is_shown = is_known && site.shows(app, &ptx, tenant_id, now).await?;
        let is_open = is_shown && !tenant::suspended_at_or_above(&ptx, tenant_id, now).await?;
        ptx.commit().await?;
        if !is_open {
            return Err(PageError::NotFound);
        }
        let tx = app.db.tenant(tenant_id).await?;
        let quote = subscription::quote_by_token(&tx, token).await?.ok_or(PageError::NotFound)?;
        let seller = tenant::organisation(&tx).await?;
        Ok(Reader { app: app.clone(), site, token: token.to_owned(), now, tx, seller, quote })
    }

    /// A reader deals with the seller: that name is on the page, in the colours of the host.
    fn brand(&self) -> Brand {
        let brand = self.site.brand.clone();
        if self.site.owner == Some(self.seller.id) || self.seller.kind == OrganisationKind::Operator {
            return brand;
        }
        Brand { name: self.seller.name.clone(), logo_href: None, is_operator: false, ..brand }
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.seller.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// The last day on which it can be accepted.
    fn last_day(&self) -> PageResult<String> {
        Ok(day(civil_day(self.quote.valid_until - TimeDelta::seconds(1), &self.seller.time_zone)?))
    }

    async fn page(&self, request: &HttpRequest, given: &Given, faults: &Faults) -> PageResult<HttpResponse> {
        let visitor = door::visitor(request, &self.site);
        let quote = &self.quote;
        let mut shell = Shell::outside(&quote.plan_name, self.brand(), extract::theme_of(request));
        shell.csrf = visitor.token.clone();
        shell.notice = crate::answer::notice_of(request, &self.site);
        let stands = quote.state_at(self.now);
        let badge = state(stands);
        let heading = Heading::new(&quote.plan_name)
            .badge(badge.word, badge.tone)
            .facts(format!("Quote {} from {}", quote.number, self.seller.name))
            .action("PDF", urls::quote_pdf(&self.token));
        let view = PublicQuote {
            shell,
            heading,
            note: self.note(stands, faults).await?,
            facts: self.facts(stands)?,
            offer: offer(&self.tx, quote, self.now).await?,
            accept: (stands == QuoteState::Open).then(|| self.form(given, faults)),
            contact: self.contact(),
        };
        let status = if faults.none() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        let mut answer = HttpResponse::build(status);
        answer.content_type("text/html; charset=utf-8");
        if let Some(cookie) = visitor.cookie {
            answer.cookie(cookie);
        }
        Ok(answer.body(view.render().map_err(PageError::failed)?))
    }

    /// What has become of it, where it is not open; what is wrong, where a form was refused.
    async fn note(&self, stands: QuoteState, faults: &Faults) -> PageResult<Option<Note>> {
        let seller = &self.seller.name;
        Ok(match stands {
            QuoteState::Open if faults.none() => None,
            QuoteState::Open => Some(Note::wrong("Nothing was accepted.", "What is wrong stands at its field.")),
            QuoteState::Withdrawn => {
                let text = format!("{seller} has taken it back. It can no longer be accepted; ask for a new one.");
                Some(Note::wrong("This quote was withdrawn.", text))
            }
            QuoteState::Expired => {
                let text = format!("It could be accepted until {}. Ask {seller} for a new one.", self.last_day()?);
                Some(Note::wrong("This quote has expired.", text))
            }
            QuoteState::Accepted => {
                let at = self.quote.accepted_at.unwrap_or(self.now);
                let by = self.quote.accepted_by.as_deref().unwrap_or_default();
                let on = format::dated(at, &self.zone()).text;
                Some(Note::good(format!("Accepted by {by} on {on}. {}", self.customer_words().await?)))
            }
        })
    }

    async fn customer_words(&self) -> PageResult<String> {
        let QuotedCustomer::Known(id) = self.quote.customer else { return Ok(String::new()) };
        let customer = subscription::customer(&self.tx, id).await?;
        Ok(customer.map_or_else(String::new, |customer| match customer.billing {
            Billing::Prepaid => format!("Customer number {}; the wallet is open.", customer.customer_no),
            Billing::Postpaid => format!("Customer number {}.", customer.customer_no),
        }))
    }

    fn facts(&self, stands: QuoteState) -> PageResult<Facts> {
        let quote = &self.quote;
        let mut facts = vec![Fact::new("From", &self.seller.legal_name)];
        if let QuotedCustomer::New(prospect) = &quote.customer {
            facts.push(Fact::new("For", &prospect.name));
            facts.push(Fact::new(
                "You pay",
                match prospect.billing {
                    Billing::Prepaid => "from a wallet that you top up".to_owned(),
                    Billing::Postpaid => {
                        let days = format::counted(prospect.payment_terms_days.into(), "day", "days");
                        format!("by invoice, within {days}")
                    }
                },
            ));
        }
        if quote.with_trial {
            facts.push(Fact::new("Free at first", format::counted(quote.terms.trial_days.into(), "day", "days")));
        }
        if matches!(stands, QuoteState::Open | QuoteState::Expired) {
            facts.push(Fact::new("Can be accepted until", self.last_day()?));
        }
        Ok(Facts(facts))
    }

    fn contact(&self) -> String {
        let mut lines = self.seller.contact_lines.iter().map(String::as_str).collect::<Vec<_>>();
        if lines.is_empty() && !self.site.brand.support_email.is_empty() {
            lines.push(&self.site.brand.support_email);
        }
        if lines.is_empty() { String::new() } else { format!("Questions? {}", lines.join(" · ")) }
    }

    fn form(&self, given: &Given, faults: &Faults) -> AcceptForm {
        let field = |name: &'static str, label: &str, usual: &str, fills: &'static str| {
            let field = Field::text(name, label, given.or(name, usual)).error(faults.at(name));
            Field { autocomplete: fills, ..field }
        };
        let person = field("person", "Your name", "", "name").required();
        let email = |usual: &str| field("email", "Your e-mail", usual, "email").control(Control::Email).required();
        let (person, details) = match &self.quote.customer {
            QuotedCustomer::Known(_) => (Fields::new().half(person).half(email("")), Fields::new()),
            QuotedCustomer::New(of) => (
                Fields::new().half(person).half(email(of.email.as_deref().unwrap_or_default())),
                Fields::new()
                    .half(field("company", "Company", &of.name, "organization").required())
                    .half(field("tax_id", "Tax id", of.tax_id.as_deref().unwrap_or_default(), ""))
                    .whole(
                        field("address", "Address", &of.address_lines.join("\n"), "street-address")
                            .control(Control::Area)
                            .required(),
                    )
                    .half(field("country", "Country", &of.country, "country").hint("Two letters, as DE").required()),
            ),
        };
        let agreed = Field::tick(
            "agreed",
            format!("I accept this quote, its prices and its terms, for {}", self.buyer()),
            given.get("agreed") == "yes",
        );
        AcceptForm {
            action: urls::quote_acceptance(&self.token),
            person,
            details,
            agreed: agreed.error(faults.at("agreed")),
            button: "Accept the quote".into(),
            remark: "The plan begins at once.".into(),
        }
    }

    fn buyer(&self) -> &str {
        match &self.quote.customer {
            QuotedCustomer::New(prospect) => &prospect.name,
            QuotedCustomer::Known(_) => "the customer",
        }
    }
}

/// `GET /quote/{token}`
pub async fn page(
    request: HttpRequest,
    app: web::Data<App>,
    site: Site,
    token: web::Path<String>,
) -> PageResult<HttpResponse> {
    let reader = Reader::open(&app, site, &token).await?;
    reader.page(&request, &Given::default(), &Faults::default()).await
}

/// `GET /quote/{token}/pdf`
pub async fn pdf(app: web::Data<App>, site: Site, token: web::Path<String>) -> PageResult<HttpResponse> {
    let reader = Reader::open(&app, site, &token).await?;
    let seen_at = format!("{}{}", reader.site.origin(&app), urls::quote(&token));
    let bytes = invoicing::quote_pdf(&reader.tx, &reader.quote, Some(&seen_at)).await?;
    Ok(crate::pages::book::pdf_answer(&reader.quote.number, bytes))
}

/// `POST /quote/{token}/acceptance`: nobody is signed in; the form must come from a page that this browser was shown.
pub async fn accept(
    request: HttpRequest,
    app: web::Data<App>,
    site: Site,
    token: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<HttpResponse> {
    if !door::came_through_the_door(&request, &site) {
        return Err(PageError::Forged);
    }
    let reader = Reader::open(&app, site, &token).await?;
    let mut faults = Faults::default();
    let there = see_other(urls::quote(&token));
    match reader.quote.state_at(reader.now) {
        // The page itself says what has become of it.
        QuoteState::Accepted | QuoteState::Withdrawn | QuoteState::Expired => return Ok(there.respond_to(&request)),
        QuoteState::Open => {}
    }
    let Some(acceptance) = read(&reader.quote, &given, &mut faults) else {
        return reader.page(&request, &given, &faults).await;
    };
    let meters = usage_metering::own_measures(&reader.tx).await?;
    match subscription::accept_quote(&reader.tx, &token, &acceptance, &meters, reader.now).await {
        Ok(accepted) => {
            let payload = serde_json::json!({ "number": reader.quote.number, "by": acceptance.name });
            let (subject, by) = (accepted.subscription_id.to_string(), format!("{} by a link", acceptance.name));
            tenant::record_audit(&reader.tx, &by, "quote.accept", &subject, payload, reader.now).await?;
            reader.tx.commit().await?;
            Ok(there.notice(format!("Thank you. {} begins now.", reader.quote.plan_name)).respond_to(&request))
        }
        Err(error) => {
            faults.refused(error, &FIELDS)?;
            // The transaction may be broken by what was refused: the page is read by another one.
            let Reader { app, site, token, tx, .. } = reader;
            drop(tx);
            Reader::open(&app, site, &token).await?.page(&request, &given, &faults).await
        }
    }
}

fn read(quote: &Quote, given: &Given, faults: &mut Faults) -> Option<Acceptance> {
    let kept = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    let name = faults.keep("person", form::text(given.get("person")));
    let email = faults.keep("email", form::text(given.get("email")));
    if given.get("agreed") != "yes" {
        faults.say("agreed", "Must be ticked to accept.");
    }
    let mut acceptance = Acceptance { name: name.unwrap_or_default(), email, ..Acceptance::default() };
    if matches!(quote.customer, QuotedCustomer::New(_)) {
        acceptance.company = faults.keep("company", form::text(given.get("company")));
        acceptance.address_lines = form::lines(given.get("address"));
        if acceptance.address_lines.is_empty() {
            faults.say("address", "Must not be empty.");
        }
        acceptance.country = faults.keep("country", form::text(given.get("country"))).map(|word| word.to_uppercase());
        acceptance.tax_id = kept(given.get("tax_id"));
    }
    faults.none().then_some(acceptance)
}
