//! A form: its fields side by side, choices that are all in sight, and a page that is one form. A form that is refused comes
//! back with the values as they were sent and a sentence at each field that is wrong.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    fields::{Field, id_of},
    parts::{Heading, Note},
    ui,
};
use crate::shell::{Shell, Token};

/// One value that may be chosen, and its word.
#[derive(Clone, Debug)]
pub struct Choice {
    pub value: String,
    pub word: String,
    /// A second fact below the word.
    pub note: String,
}

impl Choice {
    pub fn new(value: impl Into<String>, word: impl Into<String>) -> Self {
        Self { value: value.into(), word: word.into(), note: String::new() }
    }
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// A few values, all in sight: one of them, or any of them.
#[derive(Clone, Debug)]
pub struct Choices {
    pub name: &'static str,
    pub label: String,
    pub chosen: Vec<String>,
    pub choices: Vec<Choice>,
    pub is_many: bool,
    pub hint: String,
    pub error: Option<String>,
}

impl Choices {
    /// Exactly one.
    pub fn one(name: &'static str, label: impl Into<String>, chosen: impl Into<String>, choices: Vec<Choice>) -> Self {
        let (hint, chosen) = (String::new(), vec![chosen.into()]);
        Self { name, label: label.into(), chosen, choices, is_many: false, hint, error: None }
    }
    /// None, some or all.
    pub fn any<'a>(
        name: &'static str,
        label: impl Into<String>,
        chosen: impl Iterator<Item = &'a str>,
        choices: Vec<Choice>,
    ) -> Self {
        let (hint, chosen) = (String::new(), chosen.map(Into::into).collect());
        Self { name, label: label.into(), chosen, choices, is_many: true, hint, error: None }
    }
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = text.into();
        self
    }
    pub fn error(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    fn id(&self) -> String {
        id_of(self.name)
    }
    fn id_in(&self, choice: &Choice) -> String {
        id_of(&format!("{}/{}", self.name, choice.value))
    }
    fn is_chosen(&self, choice: &Choice) -> bool {
        self.chosen.contains(&choice.value)
    }
    /// What the ear is told after the label.
    fn described(&self) -> String {
        let error = self.error.as_ref().map(|_| format!("{}-error", self.id()));
        let hint = Some(format!("{}-hint", self.id())).filter(|_| !self.hint.is_empty());
        error.into_iter().chain(hint).collect::<Vec<_>>().join(" ")
    }
}

/// A field or a group of choices, and how much room it takes.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Half the width, where there is room for two.
    Half(Field),
    Whole(Field),
    Choices(Choices),
}

/// The fields of one form, in its order.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/fields.html")]
pub struct Fields(pub Vec<Piece>);

impl HtmlSafe for Fields {}

impl Fields {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn half(mut self, field: Field) -> Self {
        self.0.push(Piece::Half(field));
        self
    }
    pub fn whole(mut self, field: Field) -> Self {
        self.0.push(Piece::Whole(field));
        self
    }
    pub fn choices(mut self, choices: Choices) -> Self {
        self.0.push(Piece::Choices(choices));
        self
    }
    /// Is anything wrong with what was given?
    pub fn are_refused(&self) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Half(field) | Piece::Whole(field) => field.error.is_some(),
            Piece::Choices(choices) => choices.error.is_some(),
        })
    }
}

/// Values that a form carries on without showing them.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/kept.html")]
pub struct Kept(pub Vec<(String, String)>);

impl HtmlSafe for Kept {}

/// A part of a long form: what it is about stands beside its fields.
#[derive(Clone, Debug)]
pub struct FormPart {
    pub title: &'static str,
    pub text: &'static str,
    pub fields: Fields,
}

/// A page that is one form.
#[derive(Template, WebTemplate)]
#[template(path = "form.html")]
pub struct FormPage {
    pub shell: Shell,
    pub heading: Heading,
    /// Above the form: why it came back as a whole.
    pub note: Option<Note>,
    pub action: String,
    pub parts: Vec<FormPart>,
    /// "Create the customer"
    pub button: String,
    /// Beside the button: what will happen then.
    pub remark: String,
    pub back_href: String,
}

impl FormPage {
    fn token(&self) -> Token {
        self.shell.token()
    }
    fn is_refused(&self) -> bool {
        self.parts.iter().any(|part| part.fields.are_refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_may_be_chosen_of_a_few_and_a_refusal_is_told_to_the_ear() {
        let choices = vec![Choice::new("crm", "CRM").note("19.00 a month"), Choice::new("sms", "SMS")];
        let choices =
            Choices::any("add_on", "Add-ons", ["sms"].into_iter(), choices).error(Some("One is not sold.".into()));
        let fields = Fields::new().choices(choices);
        assert!(fields.are_refused());
        let html = fields.render().expect("choices render");
        assert_eq!(html.matches(" checked").count(), 1);
        for part in
            ["value=\"sms\" checked", "aria-describedby=\"f-add-on-error\"", "id=\"f-add-on-error\">One is not sold."]
        {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn what_a_form_carries_on_stays_text() {
        let html = Kept(vec![("name".into(), "\"><b>".into())]).render().expect("renders");
        assert!(!html.contains("<b>"), "{html}");
    }
}
