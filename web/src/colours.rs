//! The theme file that sets the colours of a brand.

use sha2::{Digest, Sha256};
pub use tenant::BrandColours;

/// The colours as a file.
pub trait ThemeFile {
    /// The theme file: twelve variables and nothing else. A value that is not a plain colour is left out,
    /// so that nobody can write a rule of style into it.
    fn css(&self) -> String;
    /// `/theme/{hash}.css`: another content has another address.
    fn href(&self) -> String;
}

impl ThemeFile for BrandColours {
    fn css(&self) -> String {
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

    fn href(&self) -> String {
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
