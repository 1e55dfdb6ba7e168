//! The smallest parts of a page: tone, badge, moment, link, icon. Everything here holds text that is ready to be shown.
//! Templates reach this module as `ui`.

use std::{borrow::Borrow, fmt};

use askama::filters::HtmlSafe;

use crate::assets;

/// What a mark of colour says. The word beside it says the same; nothing is only colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    /// Going on, or chosen.
    On,
    Good,
    Soon,
    Wrong,
    /// A quiet outline.
    Line,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::On => "on",
            Tone::Good => "ok",
            Tone::Soon => "warn",
            Tone::Wrong => "bad",
            Tone::Line => "line",
        }
    }
}

/// One word with a tone.
#[derive(Clone, Debug)]
pub struct Badge {
    pub word: String,
    pub tone: Tone,
}

impl Badge {
    pub fn new(word: impl Into<String>, tone: Tone) -> Self {
        Self { word: word.into(), tone }
    }
}

impl HtmlSafe for Badge {}

impl fmt::Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<span class="rt-badge {}">{}</span>"#, self.tone.class(), Plain(&self.word))
    }
}

/// A point in time as people read it, with its zone, and as machines do (RFC 3339).
#[derive(Clone, Debug, Default)]
pub struct Moment {
    pub text: String,
    pub iso: String,
}

impl Moment {
    pub fn new(text: impl Into<String>, iso: impl Into<String>) -> Self {
        Self { text: text.into(), iso: iso.into() }
    }
}

impl HtmlSafe for Moment {}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<time datetime="{}">{}</time>"#, Plain(&self.iso), Plain(&self.text))
    }
}

#[derive(Clone, Debug)]
pub struct Link {
    pub text: String,
    pub href: String,
}

impl Link {
    pub fn new(text: impl Into<String>, href: impl Into<String>) -> Self {
        Self { text: text.into(), href: href.into() }
    }
}

impl HtmlSafe for Link {}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<a href="{}">{}</a>"#, Plain(&self.href), Plain(&self.text))
    }
}

/// Text with the five characters of HTML escaped, for the few parts that write themselves.
pub struct Plain<'a>(pub &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

/// Icons that pages choose at run time; the test of `assets` proves that the sprite has them.
pub const ICONS: [&str; 36] = [
    "activity",
    "alert-circle",
    "bell-ringing",
    "book-2",
    "building",
    "building-bank",
    "building-store",
    "buildings",
    "check",
    "chevron-right",
    "circle-check",
    "circle-dashed",
    "clock-exclamation",
    "coins",
    "copy",
    "file-alert",
    "file-invoice",
    "gift",
    "hash",
    "headset",
    "home",
    "info-circle",
    "key",
    "list-details",
    "phone",
    "phone-call",
    "phone-off",
    "player-play",
    "receipt",
    "receipt-refund",
    "repeat",
    "scale",
    "search",
    "tag",
    "users",
    "wallet",
];

/// One drawing of the sprite, 16 px, silent for screen readers.
pub struct Icon<'a> {
    name: &'a str,
    class: &'static str,
}

pub fn icon(name: &str) -> Icon<'_> {
    Icon { name, class: "" }
}

pub fn icon_in(name: &str, tone: impl Borrow<Tone>) -> Icon<'_> {
    let tone = *tone.borrow();
    let class = if tone == Tone::Plain { "quiet" } else { tone.class() };
    Icon { name, class }
}

impl HtmlSafe for Icon<'_> {}

impl fmt::Display for Icon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r##"<svg class="i {}" aria-hidden="true"><use href="{}#{}"/></svg>"##,
            self.class,
            assets::href("icons.svg"),
            self.name
        )
    }
}

pub fn asset(path: &str) -> String {
    assets::href(path)
}

/// "Nordlicht Beratung" is NB, "Voxhouse" is VO.
pub fn initials(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    let letters: String = match words.as_slice() {
        [] => "?".into(),
        [one] => one.chars().take(2).collect(),
        [first, .., last] => first.chars().take(1).chain(last.chars().take(1)).collect(),
    };
    letters.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_become_markup() {
        assert_eq!(
            Badge::new("<b>&\"'", Tone::Good).to_string(),
            r#"<span class="rt-badge ok">&lt;b&gt;&amp;&quot;&#39;</span>"#
        );
    }

    #[test]
    fn initials_are_the_first_and_the_last_word() {
        for (name, letters) in
            [("Nordlicht Beratung", "NB"), ("Voxhouse", "VO"), ("Anna Maria Keller", "AK"), ("", "?")]
        {
            assert_eq!(initials(name), letters);
        }
    }
}
