//! A chart is a table first. The picture is drawn in the browser from the cells, so the two cannot disagree.

use askama::{Template, filters::HtmlSafe};

use crate::views::ui;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    Bar,
    /// Hatched: the past.
    Ghost,
    Area,
    Line,
    /// Dashed: the past.
    Dash,
}

impl Drawn {
    fn name(self) -> &'static str {
        match self {
            Drawn::Bar => "bar",
            Drawn::Ghost => "ghost",
            Drawn::Area => "area",
            Drawn::Line => "line",
            Drawn::Dash => "dash",
        }
    }
    fn is_past(self) -> bool {
        matches!(self, Drawn::Ghost | Drawn::Dash)
    }
}

#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub drawn: Drawn,
    /// `c1` to `c4`; the past is always grey.
    pub colour: &'static str,
}

/// One value, as the drawing needs it and as people read it. `None` where there is nothing yet.
#[derive(Clone, Debug)]
pub struct Value {
    /// A plain decimal, no grouping: "1305.69".
    pub number: String,
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct Point {
    pub label: String,
    /// The place on a numeric axis; empty on an axis of names.
    pub x: String,
    pub values: Vec<Option<Value>>,
}

#[derive(Template, Clone, Debug)]
#[template(path = "parts/chart.html")]
pub struct Chart {
    /// Unique on its page.
    pub id: &'static str,
    pub title: String,
    /// Below the title: what is compared, or what comes out of it.
    pub note: String,
    /// One sentence for screen readers.
    pub caption: String,
    pub height: u16,
    /// `category`, `hour`, `number` or `log`.
    pub axis: &'static str,
    /// Does the upright axis begin at zero? A price for one unit need not.
    pub from_zero: bool,
    /// An upright at a place of the axis, and its name: "Your volume, 31,710".
    pub mark: Option<(String, String)>,
    /// "€" before the figures of the upright axis, or nothing.
    pub unit: String,
    /// The head of the first column.
    pub over: String,
    pub series: Vec<Series>,
    pub points: Vec<Point>,
}

impl HtmlSafe for Chart {}

impl Chart {
    /// Bars by name, the usual chart.
    pub fn bars(
        id: &'static str,
        title: impl Into<String>,
        caption: impl Into<String>,
        over: impl Into<String>,
    ) -> Self {
        Self {
            id,
            title: title.into(),
            note: String::new(),
            caption: caption.into(),
            height: 232,
            axis: "category",
            from_zero: true,
            mark: None,
            unit: String::new(),
            over: over.into(),
            series: Vec::new(),
            points: Vec::new(),
        }
    }
    /// Lines over a quantity.
    pub fn lines(
        id: &'static str,
        title: impl Into<String>,
        caption: impl Into<String>,
        over: impl Into<String>,
    ) -> Self {
        Self { axis: "number", ..Self::bars(id, title, caption, over) }
    }
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = text.into();
        self
    }
    pub fn height(mut self, pixels: u16) -> Self {
        self.height = pixels;
        self
    }
    pub fn unit(mut self, sign: impl Into<String>) -> Self {
        self.unit = sign.into();
        self
    }
    /// An upright where the reader is.
    pub fn mark(mut self, x: impl Into<String>, name: impl Into<String>) -> Self {
        self.mark = Some((x.into(), name.into()));
        self
    }
    pub fn series(mut self, name: impl Into<String>, drawn: Drawn, colour: &'static str) -> Self {
        let colour = if drawn.is_past() { "past" } else { colour };
        self.series.push(Series { name: name.into(), drawn, colour });
        self
    }
    pub fn point(&mut self, label: impl Into<String>, values: Vec<Option<(String, String)>>) {
        let values = values.into_iter().map(|value| value.map(|(number, text)| Value { number, text })).collect();
        self.points.push(Point { label: label.into(), x: String::new(), values });
    }
    /// A point at a place of a numeric axis.
    pub fn point_at(&mut self, x: impl Into<String>, label: impl Into<String>, values: Vec<Option<(String, String)>>) {
        self.point(label, values);
        if let Some(last) = self.points.last_mut() {
            last.x = x.into();
        }
    }
    fn is_empty(&self) -> bool {
        self.points.iter().all(|point| point.values.iter().all(Option::is_none))
    }
}
