//! The colours of a brand, and the theme file that sets them.

use sha2::{Digest, Sha256};

/// The twelve values that a brand may choose. Contrast was checked when they were saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrandColours {
    pub accent: String,
    pub accent_hover: String,
    pub on_accent: String,
    pub accent_text: String,
    pub accent_soft: String,
    pub accent_dark: String,
    pub accent_text_dark: String,
    pub accent_soft_dark: String,
    pub canvas: String,
    pub canvas_dark: String,
    /// Pixels, 0 to 14.
    pub radius: u8,
    /// Pixels, 24 to 28.
    pub logo_height: u8,
}

impl BrandColours {
    /// The theme file: twelve variables and nothing else. A value that is not a plain colour is left out,
    /// so that nobody can write a rule of style into it.
    pub fn css(&self) -> String {
        let colours = [
            ("accent", &self.accent),
            ("accent-hover", &self.accent_hover),
            ("on-accent", &self.on_accent),
            ("accent-text", &self.accent_text),
            ("accent-soft", &self.accent_soft),
            ("accent-dark", &self.accent_dark),
            ("accent-text-dark", &self.accent_text_dark),
            ("accent-soft-dark", &self.accent_soft_dark),
            ("canvas", &self.canvas),
            ("canvas-dark", &self.canvas_dark),
        ];
        let mut css = String::from(":root {\n");
        for (name, value) in colours {
            let digits = value.strip_prefix('#').unwrap_or("");
            if matches!(digits.len(), 3 | 6) && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                css.push_str(&format!("  --brand-{name}: {value};\n"));
            }
        }
        css.push_str(&format!(
            "  --brand-radius: {}px;\n  --brand-logo-height: {}px;\n}}\n",
            self.radius.min(14),
            self.logo_height.clamp(24, 28)
        ));
        css
    }

    /// `/theme/{hash}.css`: another content has another address.
    pub fn href(&self) -> String {
        format!("/theme/{}.css", hex::encode(&Sha256::digest(self.css().as_bytes())[..8]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_file_sets_variables_and_cannot_carry_a_rule() {
        let mut colours = BrandColours {
            accent: "#7a2a5e".into(),
            accent_hover: "#641f4c".into(),
            on_accent: "#fff".into(),
            accent_text: "#7a2a5e".into(),
            accent_soft: "#f8edf4".into(),
            accent_dark: "#a8457f".into(),
            accent_text_dark: "#eda4cd".into(),
            accent_soft_dark: "#341d2b".into(),
            canvas: "#f8f5f2".into(),
            canvas_dark: "#121011".into(),
            radius: 12,
            logo_height: 26,
        };
        let href = colours.href();
        assert_eq!(colours.css().matches("--brand-").count(), 12);
        colours.accent = "red;} body{display:none".into();
        assert!(!colours.css().contains("display"), "a value that is not a colour is left out");
        assert_ne!(colours.href(), href, "another content has another address");
    }
}
