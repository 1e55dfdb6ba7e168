//! The larger parts that several pages share: stat strip, facts, sums, timeline, "why this price", list, chart, pager.

use askama::{Template, filters::HtmlSafe};

use super::ui::{self, Badge, Link, Moment, Tone};

/// One figure of the strip below a heading.
#[derive(Clone, Debug, Default)]
pub struct Stat {
    pub label: String,
    pub value: String,
    /// After the value, small: "of 40 channels".
    pub small: String,
    /// "+5.2%", in front of the note.
    pub change: String,
    pub change_tone: Tone,
    pub note: String,
    pub note_tone: Tone,
    /// A breathing dot: this figure moves by itself.
    pub live: bool,
}

impl Stat {
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into(), ..Self::default() }
    }
    pub fn small(mut self, text: impl Into<String>) -> Self {
        self.small = text.into();
        self
    }
    pub fn note(mut self, text: impl Into<String>, tone: Tone) -> Self {
        self.note = text.into();
        self.note_tone = tone;
        self
    }
    pub fn change(mut self, text: impl Into<String>, tone: Tone) -> Self {
        self.change = text.into();
        self.change_tone = tone;
        self
    }
    pub fn live(mut self) -> Self {
        self.live = true;
        self
    }
}

#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/stats.html")]
pub struct Stats(pub Vec<Stat>);

impl HtmlSafe for Stats {}

/// Label and value, side by side in a strip.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    pub label: String,
    pub value: String,
    pub quiet: String,
    pub href: String,
}

impl Fact {
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into(), ..Self::default() }
    }
    pub fn quiet(mut self, text: impl Into<String>) -> Self {
        self.quiet = text.into();
        self
    }
    pub fn to(mut self, href: impl Into<String>) -> Self {
        self.href = href.into();
        self
    }
}

#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/facts.html")]
pub struct Facts(pub Vec<Fact>);

impl HtmlSafe for Facts {}

/// One row of a column of sums: "Net … 4,899.43".
#[derive(Clone, Debug)]
pub enum SumRow {
    Plain(String, String),
    /// A line, and below it the sum of what stands above.
    Sum(String, String),
    /// A second fact over the whole width.
    Note(String),
}

impl SumRow {
    pub fn plain(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Plain(label.into(), value.into())
    }
    pub fn sum(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Sum(label.into(), value.into())
    }
}

#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/sums.html")]
pub struct Sums(pub Vec<SumRow>);

impl HtmlSafe for Sums {}

/// One thing that happened. `at` is shown as it is; the zone is said once by the page.
#[derive(Clone, Debug)]
pub struct Happening {
    pub at: Moment,
    pub title: String,
    pub note: String,
    pub amount: String,
    pub tone: Tone,
}

impl Happening {
    pub fn new(at: Moment, title: impl Into<String>, tone: Tone) -> Self {
        Self { at, title: title.into(), note: String::new(), amount: String::new(), tone }
    }
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = text.into();
        self
    }
    pub fn amount(mut self, text: impl Into<String>) -> Self {
        self.amount = text.into();
        self
    }
}

#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/timeline.html")]
pub struct Timeline {
    /// Room for a day beside the time.
    pub wide: bool,
    pub steps: Vec<Happening>,
}

impl HtmlSafe for Timeline {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonKind {
    Counts,
    /// Looked at, and made no difference: "not reached".
    Idle,
    Sum,
}

/// One line of a derivation: what, how it is computed, what comes out.
#[derive(Clone, Debug)]
pub struct Reason {
    pub label: String,
    pub note: String,
    pub calculation: String,
    pub amount: String,
    pub kind: ReasonKind,
}

impl Reason {
    pub fn new(label: impl Into<String>, amount: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            note: String::new(),
            calculation: String::new(),
            amount: amount.into(),
            kind: ReasonKind::Counts,
        }
    }
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = text.into();
        self
    }
    pub fn calculation(mut self, text: impl Into<String>) -> Self {
        self.calculation = text.into();
        self
    }
    pub fn idle(mut self) -> Self {
        self.kind = ReasonKind::Idle;
        self
    }
    pub fn sum(mut self) -> Self {
        self.kind = ReasonKind::Sum;
        self
    }
    fn class(&self) -> &'static str {
        match self.kind {
            ReasonKind::Counts => "",
            ReasonKind::Idle => "no",
            ReasonKind::Sum => "sum",
        }
    }
}

/// One step of "why this price": which price, how long, what it costs, discounts, rounding, tax, split.
#[derive(Clone, Debug)]
pub struct WhyStep {
    pub title: String,
    pub summary: String,
    pub amount: String,
    pub open: bool,
    /// The way to the price: number, digit, topic, tariff. The last one may link.
    pub path: Vec<Link>,
    pub path_note: String,
    pub reasons: Vec<Reason>,
}

impl WhyStep {
    pub fn new(title: impl Into<String>, summary: impl Into<String>, amount: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            summary: summary.into(),
            amount: amount.into(),
            open: false,
            path: Vec::new(),
            path_note: String::new(),
            reasons: Vec::new(),
        }
    }
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }
    pub fn reasons(mut self, reasons: Vec<Reason>) -> Self {
        self.reasons = reasons;
        self
    }
    pub fn path(mut self, path: Vec<Link>, note: impl Into<String>) -> Self {
        self.path = path;
        self.path_note = note.into();
        self
    }
}

#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/why.html")]
pub struct Why(pub Vec<WhyStep>);

impl HtmlSafe for Why {}

/// A row with an icon: something that wants attention, a check, a payment.
#[derive(Clone, Debug)]
pub struct Item {
    pub icon: &'static str,
    pub tone: Tone,
    pub title: String,
    pub note: String,
    pub amount: String,
    pub action: Option<Link>,
}

impl Item {
    pub fn new(icon: &'static str, tone: Tone, title: impl Into<String>) -> Self {
        Self { icon, tone, title: title.into(), note: String::new(), amount: String::new(), action: None }
    }
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = text.into();
        self
    }
    pub fn amount(mut self, text: impl Into<String>) -> Self {
        self.amount = text.into();
        self
    }
    pub fn action(mut self, text: impl Into<String>, href: impl Into<String>) -> Self {
        self.action = Some(Link::new(text, href));
        self
    }
}

#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/items.html")]
pub struct Items(pub Vec<Item>);

impl HtmlSafe for Items {}

/// What there is to say about what was just done, or about what is wrong.
#[derive(Template, Clone, Debug)]
#[template(path = "parts/note.html")]
pub struct Note {
    pub tone: Tone,
    /// First, and heavier.
    pub lead: String,
    pub text: String,
}

impl HtmlSafe for Note {}

impl Note {
    pub fn good(lead: impl Into<String>) -> Self {
        Self { tone: Tone::Good, lead: lead.into(), text: String::new() }
    }
    pub fn wrong(lead: impl Into<String>, text: impl Into<String>) -> Self {
        Self { tone: Tone::Wrong, lead: lead.into(), text: text.into() }
    }
    pub fn plain(text: impl Into<String>) -> Self {
        Self { tone: Tone::Plain, lead: String::new(), text: text.into() }
    }
    fn icon(&self) -> &'static str {
        match self.tone {
            Tone::Good => "check",
            Tone::Soon => "bell-ringing",
            Tone::Wrong => "alert-circle",
            Tone::Plain | Tone::On | Tone::Line => "info-circle",
        }
    }
}

/// Cursor paging. Totals are never counted for it.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/pager.html")]
pub struct Pager {
    /// "50 calls, newest first".
    pub shown: String,
    /// Back to the first page, when this is another one.
    pub first: Option<String>,
    pub next: Option<String>,
}

impl HtmlSafe for Pager {}

/// Where a page lies: the links above its heading. The last is the page itself and has no address.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/path.html")]
pub struct PagePath {
    pub links: Vec<Link>,
    pub here: String,
    /// The last part is an id, to be copied.
    pub is_id: bool,
}

impl HtmlSafe for PagePath {}

impl PagePath {
    pub fn under(text: impl Into<String>, href: impl Into<String>, here: impl Into<String>) -> Self {
        Self { links: vec![Link::new(text, href)], here: here.into(), is_id: false }
    }
    pub fn id(mut self) -> Self {
        self.is_id = true;
        self
    }
}

/// A heading that says the answer, with the badge of its state and one line of second facts.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/heading.html")]
pub struct Heading {
    pub path: Option<PagePath>,
    pub title: String,
    pub badge: Option<Badge>,
    pub facts: String,
    pub at: Option<Moment>,
    /// After the time: "compared with last Friday until 14:32".
    pub remark: String,
    /// What may be begun here, as buttons beside it.
    pub actions: Vec<Link>,
}

impl HtmlSafe for Heading {}

impl Heading {
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }
    pub fn path(mut self, path: PagePath) -> Self {
        self.path = Some(path);
        self
    }
    pub fn badge(mut self, word: impl Into<String>, tone: Tone) -> Self {
        self.badge = Some(Badge::new(word, tone));
        self
    }
    pub fn facts(mut self, text: impl Into<String>) -> Self {
        self.facts = text.into();
        self
    }
    pub fn at(mut self, at: Moment) -> Self {
        self.at = Some(at);
        self
    }
    pub fn remark(mut self, text: impl Into<String>) -> Self {
        self.remark = text.into();
        self
    }
    pub fn action(mut self, text: impl Into<String>, href: impl Into<String>) -> Self {
        self.actions.push(Link::new(text, href));
        self
    }
}
