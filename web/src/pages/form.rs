//! Forms as they come in: values by name, and what is wrong with them in words of the page, each at its field.

use crate::error::{PageError, sentence};
use actix_web::http::StatusCode;
use actix_web::{CustomizeResponder, Either, Responder};
use std::collections::BTreeMap;
use std::str::FromStr;
use subscription::{Refusal, Rule, SubscriptionError};

/// What a form sent. Take it as `web::Form<Given>` or `web::Query<Given>`; a name may come more than once.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct Given(Vec<(String, String)>);

impl Given {
    /// The value of a field, without blanks around it; nothing where none came.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.trim())
    }

    /// All values of a field that may be chosen several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(given, value)| given == name && !value.trim().is_empty())
            .map(|(_, value)| value.trim())
    }

    /// The value of a field, or this where none came at all.
    pub fn or<'a>(&'a self, name: &str, usual: &'a str) -> &'a str {
        if self.has(name) { self.get(name) } else { usual }
    }

    /// Did the form have such a field?
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    /// Everything but the session's token, to be sent along once more.
    pub fn kept(&self) -> Vec<(String, String)> {
        self.0.iter().filter(|(name, _)| name != "csrf").cloned().collect()
    }
}

/// What is wrong with a form, by field.
#[derive(Clone, Debug, Default)]
pub struct Faults(BTreeMap<String, String>);

impl Faults {
    pub fn none(&self) -> bool {
        self.0.is_empty()
    }

    /// Every field that has one, with its sentence.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, said)| (field.as_str(), said.as_str()))
    }

    /// One sentence of them, for where there is no form to show it at.
    pub fn first(&self) -> String {
        self.0.values().next().cloned().unwrap_or_default()
    }

    /// The sentence at a field.
    pub fn at(&self, field: &str) -> Option<String> {
        self.0.get(field).cloned()
    }

    /// Says something at a field; the first word stands.
    pub fn say(&mut self, field: &str, sentence: impl Into<String>) {
        self.0.entry(field.to_owned()).or_insert_with(|| sentence.into());
    }

    /// What was read, or nothing and the reason at its field.
    pub fn keep<T>(&mut self, field: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| self.say(field, why)).ok()
    }

    /// What a domain function refused stands at the field that it names: the first of `fields` that is the refusal's own or
    /// begins it. Everything else goes on as what it is.
    pub fn refused(&mut self, error: SubscriptionError, fields: &[(&str, &str)]) -> Result<(), PageError> {
        if let SubscriptionError::NotFound { kind: "coupon", .. } = error {
            self.say("coupon", "No coupon has this code.");
            return Ok(());
        }
        let Some(refusal) = error.refusal() else { return Err(error.into()) };
        let field = fields.iter().find(|(theirs, _)| refusal.field.starts_with(theirs)).map(|(_, ours)| *ours);
        match field {
            Some(field) => {
                self.say(field, apart(refusal).unwrap_or_else(|| sentence(&refusal.rule)));
                Ok(())
            }
            None => Err(error.into()),
        }
    }
}

/// Plans and add-ons that do not go together, in words that say what to do: the rule alone names a key that no form shows.
fn apart(refusal: &Refusal) -> Option<String> {
    let key = refusal.field.strip_prefix("components/")?.split('/').next()?;
    match &refusal.rule {
        Rule::MustBeUnique => Some(format!(
            "Two of its components have the key “{key}”. A subscription has each key once: give the add-on's component another one in its next version."
        )),
        Rule::FiltersMustNotOverlap(other) => Some(format!(
            "“{key}” and “{other}” would charge the same usage twice. Put a condition on one of them that leaves out what the other charges."
        )),
        _ => None,
    }
}

/// The next page, or the form once more with what is wrong: 422, and nothing was changed.
pub type Outcome<Done, View> = Either<Done, CustomizeResponder<View>>;

/// The form once more.
pub fn again<Done, View: Responder>(view: View) -> Outcome<Done, View> {
    Either::Right(view.customize().with_status(StatusCode::UNPROCESSABLE_ENTITY))
}

/// Not empty.
pub fn text(value: &str) -> Result<String, String> {
    if value.is_empty() { Err("Must not be empty.".into()) } else { Ok(value.to_owned()) }
}

/// Lines of a text, without the empty ones.
pub fn lines(value: &str) -> Vec<String> {
    value.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// An id that a list offered.
pub fn id<Id: FromStr>(value: &str) -> Result<Id, String> {
    value.parse().map_err(|_| "Must be one of the list.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(body: &str) -> Given {
        serde_urlencoded::from_str(body).expect("a form's body")
    }

    #[test]
    fn a_form_is_read_by_name_and_may_name_a_field_twice() {
        let form = given("name=+Brandt+&add_on=a&add_on=b&empty=&csrf=x");
        assert_eq!(
            (form.get("name"), form.get("nothing"), form.or("empty", "7"), form.or("seats", "7")),
            ("Brandt", "", "", "7")
        );
        assert_eq!(form.all("add_on").collect::<Vec<_>>(), ["a", "b"]);
        assert!(form.kept().iter().all(|(name, _)| name != "csrf"));
    }

    #[test]
    fn the_first_sentence_at_a_field_stands() {
        let mut faults = Faults::default();
        assert_eq!(faults.keep("seats", crate::read::count("x", 1, 9)), None);
        faults.say("seats", "Another.");
        assert_eq!(faults.at("seats").as_deref(), Some("Must be a number, such as 0.55."));
        assert!(!faults.none());
    }
}
