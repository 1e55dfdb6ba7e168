//! What a letter says, in both of its forms: plain, and in the seller's colours.

use crate::colours::BrandColours;
use askama::Template;

/// A letter to one person.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    pub to: String,
    pub to_name: String,
    /// The seller's, as its brand says.
    pub from_name: String,
    /// Where an answer goes: the seller's support, where its brand names it.
    pub reply_to: Option<String>,
    pub subject: String,
    /// One or two sentences each.
    pub paragraphs: Vec<String>,
    /// The one thing to do: words and absolute address.
    pub action: Option<(String, String)>,
    /// Who sends it: legal name and address, line by line.
    pub footer: Vec<String>,
    /// Of the seller's brand.
    pub colours: Option<BrandColours>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    letter: &'a Letter,
    accent: &'a str,
    on_accent: &'a str,
    canvas: &'a str,
}

impl Letter {
    /// For who reads no HTML.
    pub fn text(&self) -> anyhow::Result<String> {
        let mut parts = vec![format!("Hello {},", self.to_name)];
        parts.extend(self.paragraphs.iter().cloned());
        parts.extend(self.action.iter().map(|(words, href)| format!("{words}:\n{href}")));
        parts.push(format!("--\n{}", self.footer.join("\n")));
        Ok(parts.join("\n\n") + "\n")
    }

    /// Without a picture, a script or anything that is fetched: a letter tells nobody that it was read.
    pub fn html(&self) -> anyhow::Result<String> {
        let colours = self.colours.as_ref();
        let page = Html {
            letter: self,
            accent: colours.map_or("#3d4fd1", |colours| &colours.accent),
            on_accent: colours.map_or("#ffffff", |colours| &colours.on_accent),
            canvas: colours.map_or("#f6f7f9", |colours| &colours.canvas),
        };
        Ok(page.render()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_the_same_twice_and_a_name_stays_text() {
        let letter = Letter {
            to_name: "<b>Nina</b>".into(),
            from_name: "Nord".into(),
            subject: "Your trial".into(),
            paragraphs: vec!["It ends on 16 Mar 2026.".into()],
            action: Some(("Look at your plan".into(), "https://ringtill.example/portal/plan".into())),
            footer: vec!["Nord GmbH".into()],
            ..Letter::default()
        };
        let (text, html) = (letter.text().unwrap(), letter.html().unwrap());
        for words in ["It ends on 16 Mar 2026.", "https://ringtill.example/portal/plan", "Nord GmbH"] {
            assert!(text.contains(words) && html.contains(words), "{words}");
        }
        assert!(!html.contains("<b>Nina") && !html.contains("<img") && !html.contains("<script"), "{html}");
    }
}
