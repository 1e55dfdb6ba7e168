//! One number where calls arrive: what callers can choose, how it answers, and the forms that change both.

use super::{prices, shell};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{self, Faults, Given, Outcome, again};
use crate::shell::Section;
use crate::urls::with_query;
use crate::views::book::TableCard;
use crate::views::fields::Field;
use crate::views::form::{Choice, Choices, Fields};
use crate::views::panels::{FormCard, Panel, Panels};
use crate::views::parts::{Heading, PagePath, Stats};
use crate::views::ui::Link;
use actix_web::{Either, web};
use db::TenantTx;
use std::collections::HashSet;
use subscription::{MeterStarts, NewTopic, Number, NumberSetting, StoredTariff, Topic, UnknownCallers};
use tenant::Role;

/// The domain's fields, and ours.
const FIELDS: [(&str, &str); 4] = [("digit", "digit"), ("name", "name"), ("label", "label"), ("language", "language")];

async fn find(member: &Member, tx: &TenantTx, path: &str) -> PageResult<Number> {
    subscription::number(tx, path.parse()?, member.now).await?.ok_or(PageError::NotFound)
}

/// `GET /admin/numbers/{number_id}`; with `?digit=` the form shows that topic.
pub async fn number(member: Member, path: web::Path<String>, given: web::Query<Given>) -> PageResult<Panels> {
    let tx = member.tx().await?;
    let number = find(&member, &tx, &path).await?;
    page(&member, &tx, &number, &given, &Faults::default()).await
}

async fn page(member: &Member, tx: &TenantTx, number: &Number, given: &Given, faults: &Faults) -> PageResult<Panels> {
    let tariffs = subscription::tariffs(tx).await?;
    let audience = member.audience;
    let phone = format::phone(&number.e164);
    let calls = with_query(&audience.calls(), &[("q", &number.e164)]);
    let heading = Heading::new(phone.clone())
        .path(PagePath::under("Numbers", audience.numbers(), phone))
        .facts(super::numbers::facts(number));
    let may_change = member.must(Role::Admin).is_ok();
    let table = super::numbers::topic_table(number, &tariffs, may_change.then_some(audience));
    let topics = TableCard { title: "Topics".into(), all: Some(Link::new("Its calls", calls)), table };
    let mut side = Vec::new();
    if may_change {
        let shown = number.topics.iter().find(|topic| given.get("digit") == topic.digit.to_string());
        side.push(Panel::Form(topic_form(member, number, shown, &tariffs, given, faults)));
        if let Some(topic) = shown {
            side.push(Panel::Form(
                FormCard::post(
                    format!("Remove {}", topic.name),
                    audience.number_topic_removal(number.id, topic.digit),
                    Fields::new(),
                    format!("Remove digit {}", topic.digit),
                )
                .danger()
                .remark("Its calls keep it."),
            ));
        }
        side.push(Panel::Form(setting_form(member, number, given, faults)));
    }
    Ok(Panels {
        shell: shell(member, tx, "Number", Section::Numbers).await?,
        heading: if may_change { heading.action("New tariff", audience.tariff_new()) } else { heading },
        tabs: Vec::new(),
        note: None,
        stats: Stats::default(),
        main: vec![Panel::Table(topics)],
        side,
        pager: None,
    })
}

fn topic_form(
    member: &Member,
    number: &Number,
    shown: Option<&Topic>,
    tariffs: &[StoredTariff],
    given: &Given,
    faults: &Faults,
) -> FormCard {
    let taken: HashSet<u8> = number.topics.iter().map(|topic| topic.digit).collect();
    let free = (0..=9).find(|digit| !taken.contains(digit)).unwrap_or(1).to_string();
    let digits = (0..=9u8).map(|digit| {
        let topic = number.topics.iter().find(|topic| topic.digit == digit);
        let word = topic.map_or_else(|| format!("{digit}, free"), |topic| format!("{digit}, {}", topic.name));
        (digit.to_string(), word)
    });
    let usual = |of: fn(&Topic) -> String| shown.map(of).unwrap_or_default();
    let starts = vec![
        Choice::new("agent_joined", "With the agent").note("With nobody there, with the music"),
        Choice::new("topic_chosen", "With the choice").note("Where music or a recording is the service"),
    ];
    let started = shown.map_or("agent_joined", |topic| topic.meter_starts.as_str());
    let fields = Fields::new()
        .whole(Field::choice("digit", "Digit", given.or("digit", &free), digits).error(faults.at("digit")))
        .whole(
            Field::text("name", "Topic", given.or("name", &usual(|topic| topic.name.clone())))
                .hint("As callers know it")
                .error(faults.at("name"))
                .required(),
        )
        .whole(
            Field::choice(
                "tariff",
                "Tariff",
                given.or("tariff", &usual(|topic| topic.tariff_id.to_string())),
                offered(tariffs, shown),
            )
            .hint("A new one is published under Plans and tariffs")
            .error(faults.at("tariff")),
        )
        .choices(
            Choices::one("meter_starts", "The meter starts", given.or("meter_starts", started), starts)
                .error(faults.at("meter_starts")),
        );
    let title = if shown.is_some() { "Change the topic" } else { "Set a topic" };
    FormCard::post(title, member.audience.number_topics(number.id), fields, "Set the topic")
        .remark("From the next call on; calls that began before are charged as it was.")
}

/// The newest version of every tariff, and the one that the topic has.
fn offered(tariffs: &[StoredTariff], shown: Option<&Topic>) -> Vec<(String, String)> {
    let mut names = HashSet::new();
    let newest = tariffs
        .iter()
        .filter(|tariff| names.insert(tariff.name.as_str()) || shown.is_some_and(|topic| topic.tariff_id == tariff.id));
    let words = |tariff: &StoredTariff| {
        let price = prices::tariff_words(&tariff.tariff, tariff.currency);
        (tariff.id.to_string(), format!("{}, version {}: {price}", tariff.name, tariff.version))
    };
    newest.map(words).collect()
}

fn setting_form(member: &Member, number: &Number, given: &Given, faults: &Faults) -> FormCard {
    let unknown = vec![
        Choice::new("ask_pin", "Asked for account and PIN"),
        Choice::new("refuse", "Refused").note("Only callers whose number is known get in"),
    ];
    let fields = Fields::new()
        .whole(Field::text("label", "Name", given.or("label", &number.label)).error(faults.at("label")).required())
        .whole(
            Field::text("language", "Language of its prompts", given.or("language", &number.language))
                .hint("en, de, pt-BR")
                .error(faults.at("language"))
                .required(),
        )
        .choices(
            Choices::one(
                "unknown_callers",
                "Unknown callers are",
                given.or("unknown_callers", number.unknown_callers.as_str()),
                unknown,
            )
            .error(faults.at("unknown_callers")),
        );
    FormCard::post("How it answers", member.audience.number(number.id), fields, "Save")
}

fn setting_of(number: &Number) -> NumberSetting {
    NumberSetting {
        number_id: number.id,
        label: number.label.clone(),
        language: number.language.clone(),
        unknown_callers: number.unknown_callers,
    }
}

/// `POST /admin/numbers/{number_id}`
pub async fn set(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let number = find(&member, &tx, &path).await?;
    let mut faults = Faults::default();
    let unknown = UnknownCallers::from_word(given.get("unknown_callers"));
    let unknown = faults.keep("unknown_callers", unknown.ok_or_else(|| "Must be one of the two.".to_owned()));
    if let Some(unknown_callers) = unknown {
        let (label, language) = (given.get("label").to_owned(), given.get("language").to_owned());
        let setting = NumberSetting { number_id: number.id, label, language, unknown_callers };
        if let Err(error) = subscription::set_number(&tx, &setting).await {
            faults.refused(error, &FIELDS)?;
        }
    }
    if !faults.none() {
        return Ok(again(page(&member, &tx, &number, &given, &faults).await?));
    }
    let payload = serde_json::json!({ "label": given.get("label"), "language": given.get("language"), "unknown_callers": given.get("unknown_callers") });
    tenant::record_audit(&tx, &member.actor(), "number.set", &number.id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(see_other(member.audience.number(number.id)).notice("It answers so from the next call on.")))
}

/// `POST /admin/numbers/{number_id}/topics`
pub async fn set_topic(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let number = find(&member, &tx, &path).await?;
    let mut faults = Faults::default();
    let Some(new) = read_topic(&number, &given, &mut faults) else {
        return Ok(again(page(&member, &tx, &number, &given, &faults).await?));
    };
    // A number that nobody has set up answers as it is shown.
    subscription::set_number(&tx, &setting_of(&number)).await?;
    let id = match subscription::set_topic(&tx, &new, member.now).await {
        Ok(id) => id,
        Err(error) => {
            faults.refused(error, &FIELDS)?;
            return Ok(again(page(&member, &tx, &number, &given, &faults).await?));
        }
    };
    let payload = serde_json::json!({
        "number": number.e164, "digit": new.digit, "name": new.name, "tariff": new.tariff_id, "meter_starts": new.meter_starts,
    });
    tenant::record_audit(&tx, &member.actor(), "topic.set", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let notice = format!("Digit {} offers {} from the next call on.", new.digit, new.name);
    Ok(Either::Left(see_other(member.audience.number(number.id)).notice(notice)))
}

fn read_topic(number: &Number, given: &Given, faults: &mut Faults) -> Option<NewTopic> {
    let digit = given.get("digit").parse().map_err(|_| "Must be a digit from 0 to 9.".to_owned());
    let digit = faults.keep("digit", digit);
    let name = faults.keep("name", form::text(given.get("name")));
    let tariff_id = faults.keep("tariff", form::id(given.get("tariff")));
    let starts = MeterStarts::from_word(given.get("meter_starts"));
    let meter_starts = faults.keep("meter_starts", starts.ok_or_else(|| "Must be one of the two.".to_owned()));
    Some(NewTopic {
        number_id: number.id,
        digit: digit?,
        name: name?,
        tariff_id: tariff_id?,
        meter_starts: meter_starts?,
    })
}

/// `POST /admin/numbers/{number_id}/topics/{digit}/removal`
pub async fn remove_topic(member: Member, path: web::Path<(String, String)>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let (number_id, digit) = path.into_inner();
    let tx = member.tx().await?;
    let number = find(&member, &tx, &number_id).await?;
    let topic = number.topics.iter().find(|topic| topic.digit.to_string() == digit).ok_or(PageError::NotFound)?;
    subscription::remove_topic(&tx, topic.id, member.now).await?;
    let payload = serde_json::json!({ "number": number.e164, "digit": topic.digit, "name": topic.name });
    tenant::record_audit(&tx, &member.actor(), "topic.remove", &topic.id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let notice = format!("Digit {digit} offers {} no longer.", topic.name);
    Ok(see_other(member.audience.number(number.id)).notice(notice))
}
