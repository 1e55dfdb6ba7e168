//! One table for every list: hairlines, numbers right, totals of the filter, cards on a phone, and what is said when it is empty.

use askama::{Template, filters::HtmlSafe};

use super::ui::{self, Badge, Tone};

/// What becomes of a column below 640 px, where each row is a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OnPhone {
    /// At the right of the card, without a label.
    #[default]
    Show,
    /// At the right, after this word.
    Label(&'static str),
    /// On a line of its own.
    Full,
    Hide,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub head: String,
    pub right: bool,
    pub phone: OnPhone,
}

impl Column {
    pub fn text(head: impl Into<String>) -> Self {
        Self { head: head.into(), right: false, phone: OnPhone::Show }
    }
    /// Figures: to the right, digits of one width.
    pub fn figures(head: impl Into<String>) -> Self {
        Self { head: head.into(), right: true, phone: OnPhone::Show }
    }
    pub fn label(mut self, word: &'static str) -> Self {
        self.phone = OnPhone::Label(word);
        self
    }
    pub fn full(mut self) -> Self {
        self.phone = OnPhone::Full;
        self
    }
    pub fn hidden(mut self) -> Self {
        self.phone = OnPhone::Hide;
        self
    }

    fn class(&self, cell: &Cell) -> String {
        let mut class = String::new();
        for (set, word) in [
            (self.right, "r"),
            (!cell.sub.is_empty(), "two"),
            (self.phone == OnPhone::Full, "full"),
            (self.phone == OnPhone::Hide, "hide-s"),
            (cell.text.is_empty() && cell.badge.is_none(), "nil"),
        ] {
            if set {
                class.push_str(word);
                class.push(' ');
            }
        }
        class
    }

    fn label_of(&self) -> &str {
        if let OnPhone::Label(word) = self.phone { word } else { "" }
    }
}

/// One cell: a text, perhaps a second fact below it, a link, a badge.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub text: String,
    pub sub: String,
    pub href: String,
    pub badge: Option<Badge>,
    /// `strong`, `quiet`, `bad`, `tel`, `id` or several of them.
    pub class: &'static str,
    pub sub_class: &'static str,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
    /// A name: what the row is about.
    pub fn name(text: impl Into<String>) -> Self {
        Self { text: text.into(), class: "strong", ..Self::default() }
    }
    /// An amount or a count; a zero is grey, never a dash.
    pub fn figure(text: impl Into<String>) -> Self {
        let text = text.into();
        let class = if text.chars().all(|c| matches!(c, '0' | '.' | ':')) && !text.is_empty() { "rt-zero" } else { "" };
        Self { text, class, ..Self::default() }
    }
    pub fn badge(word: impl Into<String>, tone: Tone) -> Self {
        Self { badge: Some(Badge::new(word, tone)), ..Self::default() }
    }
    pub fn none() -> Self {
        Self::default()
    }
    #[allow(clippy::should_implement_trait, reason = "the second line of a cell; nobody subtracts cells")]
    pub fn sub(mut self, text: impl Into<String>) -> Self {
        self.sub = text.into();
        self
    }
    pub fn sub_class(mut self, class: &'static str) -> Self {
        self.sub_class = class;
        self
    }
    pub fn to(mut self, href: impl Into<String>) -> Self {
        self.href = href.into();
        self
    }
    pub fn with(mut self, badge: Badge) -> Self {
        self.badge = Some(badge);
        self
    }
    pub fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }
}

#[derive(Clone, Debug)]
pub enum Row {
    /// A sunken heading over the rows that follow.
    Group(String),
    Cells(Vec<Cell>),
}

/// What is said where rows would be: what will be here, and the one next step.
#[derive(Clone, Debug)]
pub struct Empty {
    pub icon: &'static str,
    pub title: String,
    pub text: String,
    pub action: Option<ui::Link>,
}

impl Empty {
    pub fn new(icon: &'static str, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { icon, title: title.into(), text: text.into(), action: None }
    }
}

#[derive(Template, Clone, Debug)]
#[template(path = "parts/table.html")]
pub struct Table {
    /// For screen readers.
    pub caption: String,
    pub dense: bool,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Sums over the filter, not over the page; several rows where one leads to the next.
    pub totals: Vec<Vec<Cell>>,
    pub empty: Empty,
}

impl HtmlSafe for Table {}

impl Table {
    pub fn new(caption: impl Into<String>, columns: Vec<Column>, empty: Empty) -> Self {
        Self { caption: caption.into(), dense: false, columns, rows: Vec::new(), totals: Vec::new(), empty }
    }
    pub fn dense(mut self) -> Self {
        self.dense = true;
        self
    }
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a row of {} has as many cells as columns", self.caption);
        self.rows.push(Row::Cells(cells));
    }
    pub fn group(&mut self, name: impl Into<String>) {
        self.rows.push(Row::Group(name.into()));
    }
    pub fn total(&mut self, cells: Vec<Cell>) {
        self.totals.push(cells);
    }
}
