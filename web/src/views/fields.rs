//! One field of a form: its label, what is in it, what it means, and the sentence that says what is wrong with it.
//! A form that is refused comes back made of these, with the values as they were sent.

use askama::{Template, filters::HtmlSafe};

/// How a field is typed into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Control {
    #[default]
    Text,
    /// A number: to the right, digits of one width, the number keys of a telephone.
    Figure,
    Date,
    Time,
    Email,
    /// Not shown, and not sent back to the page.
    Password,
    /// Several lines.
    Area,
    /// A file of the reader's; the value says which kinds: ".csv".
    File,
    /// One of these: value and word.
    Choice(Vec<(String, String)>),
    /// Ticked or not.
    Tick,
}

/// How a field stands on its page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Label above.
    #[default]
    Stacked,
    /// Label and meaning at the left, in a list of settings.
    Row,
    /// In a table, whose head is the label for the eye.
    Bare,
}

/// See the module.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/field.html")]
pub struct Field {
    /// As the form sends it; the id on the page is made of it.
    pub name: String,
    pub label: String,
    pub value: String,
    /// What it means, in a few words.
    pub hint: String,
    pub error: Option<String>,
    pub control: Control,
    pub layout: Layout,
    /// Before what is typed: "€".
    pub before: String,
    /// After it: "%", "per month".
    pub after: String,
    pub placeholder: String,
    pub is_required: bool,
    pub is_disabled: bool,
    /// A list of proposals on the page.
    pub list: String,
    /// What a browser may fill in: "email"; empty for nothing.
    pub autocomplete: &'static str,
    /// A change asks the server for the form again; names the button that does the same without a script.
    pub refreshes: String,
}

impl HtmlSafe for Field {}

impl Field {
    pub fn text(name: impl Into<String>, label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), label: label.into(), value: value.into(), ..Self::default() }
    }
    pub fn figure(name: impl Into<String>, label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { control: Control::Figure, ..Self::text(name, label, value) }
    }
    pub fn choice<V: Into<String>, W: Into<String>>(
        name: impl Into<String>,
        label: impl Into<String>,
        value: impl Into<String>,
        options: impl IntoIterator<Item = (V, W)>,
    ) -> Self {
        let options = options.into_iter().map(|(value, word)| (value.into(), word.into())).collect();
        Self { control: Control::Choice(options), ..Self::text(name, label, value) }
    }
    /// A box; ticked it sends "yes".
    pub fn tick(name: impl Into<String>, label: impl Into<String>, is_ticked: bool) -> Self {
        Self { control: Control::Tick, ..Self::text(name, label, if is_ticked { "yes" } else { "" }) }
    }
    pub fn control(mut self, control: Control) -> Self {
        self.control = control;
        self
    }
    pub fn row(mut self) -> Self {
        self.layout = Layout::Row;
        self
    }
    pub fn bare(mut self) -> Self {
        self.layout = Layout::Bare;
        self
    }
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = text.into();
        self
    }
    pub fn error(mut self, error: Option<impl Into<String>>) -> Self {
        self.error = error.map(Into::into);
        self
    }
    pub fn before(mut self, text: impl Into<String>) -> Self {
        self.before = text.into();
        self
    }
    pub fn after(mut self, text: impl Into<String>) -> Self {
        self.after = text.into();
        self
    }
    pub fn placeholder(mut self, text: impl Into<String>) -> Self {
        self.placeholder = text.into();
        self
    }
    pub fn required(mut self) -> Self {
        self.is_required = true;
        self
    }
    pub fn disabled(mut self) -> Self {
        self.is_disabled = true;
        self
    }
    pub fn list(mut self, id: impl Into<String>) -> Self {
        self.list = id.into();
        self
    }
    pub fn refreshes(mut self, what: impl Into<String>) -> Self {
        self.refreshes = what.into();
        self
    }

    /// `components/0/name` is `f-components-0-name`.
    pub fn id(&self) -> String {
        id_of(&self.name)
    }

    /// Room for what stands after the text.
    fn after_class(&self) -> &'static str {
        match self.after.chars().count() {
            0 => "",
            1..=3 => "post",
            _ => "post-w",
        }
    }
}

/// The id on the page of a field's name.
pub fn id_of(name: &str) -> String {
    format!("f-{}", name.replace(['/', '.', '_'], "-"))
}
