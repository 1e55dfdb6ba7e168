use crate::error::TenantError;
use crate::{logo, store};
use chrono::{DateTime, Utc};
use db::TenantTx;
use serde::{Deserialize, Serialize};

/// Contrast of text that is small (WCAG 2.2, 1.4.3).
const CONTRAST_MIN: f64 = 4.5;

/// The values that a brand may choose; the ten colours are `#rrggbb`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Name, logo and colours that a host of this organisation shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    pub name: String,
    /// A plain drawing: no script, no reference to anything outside.
    pub logo_svg: Option<String>,
    pub colours: BrandColours,
    pub support_email: Option<String>,
}

/// The brand of this organisation, if it has one.
pub async fn brand(tx: &TenantTx) -> Result<Option<Brand>, TenantError> {
    store::brand::find(tx).await
}

/// Sets the brand. A colour that is not one, a text that cannot be read on its background and a drawing with anything active
/// in it are refused.
pub async fn set_brand(tx: &TenantTx, brand: &Brand, now: DateTime<Utc>) -> Result<(), TenantError> {
    if brand.name.trim().is_empty() {
        return Err(TenantError::NameMustNotBeEmpty);
    }
    check_colours(&brand.colours)?;
    if let Some(svg) = &brand.logo_svg {
        logo::check(svg)?;
    }
    Ok(store::brand::put(tx, brand, now).await?)
}

fn check_colours(colours: &BrandColours) -> Result<(), TenantError> {
    let named = [
        ("accent", &colours.accent),
        ("accent_hover", &colours.accent_hover),
        ("on_accent", &colours.on_accent),
        ("accent_text", &colours.accent_text),
        ("accent_soft", &colours.accent_soft),
        ("accent_dark", &colours.accent_dark),
        ("accent_text_dark", &colours.accent_text_dark),
        ("accent_soft_dark", &colours.accent_soft_dark),
        ("canvas", &colours.canvas),
        ("canvas_dark", &colours.canvas_dark),
    ];
    let mut light = Vec::with_capacity(named.len());
    for (name, text) in named {
        light.push((name, luminance(text).ok_or(TenantError::ColourMustHaveSixDigits { name })?));
    }
    let of = |wanted: &str| light.iter().find(|(name, _)| *name == wanted).map_or(0.0, |(_, luminance)| *luminance);
    let pairs = [
        ("on_accent", "accent"),
        ("on_accent", "accent_hover"),
        ("accent_text", "canvas"),
        ("accent_text", "accent_soft"),
        ("accent_text_dark", "canvas_dark"),
        ("accent_text_dark", "accent_soft_dark"),
    ];
    for (text, background) in pairs {
        let ratio = contrast(of(text), of(background));
        if ratio < CONTRAST_MIN {
            return Err(TenantError::ContrastMustBeReadable { text, background, ratio: format!("{ratio:.2}") });
        }
    }
    Ok(())
}

/// Relative luminance of `#rrggbb`, 0 to 1.
fn luminance(colour: &str) -> Option<f64> {
    let digits = colour.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or(0)) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    Some(0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4))
}

fn contrast(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours() -> BrandColours {
        BrandColours {
            accent: "#7a2a5e".into(),
            accent_hover: "#641f4c".into(),
            on_accent: "#ffffff".into(),
            accent_text: "#7a2a5e".into(),
            accent_soft: "#f8edf4".into(),
            accent_dark: "#a8457f".into(),
            accent_text_dark: "#eda4cd".into(),
            accent_soft_dark: "#341d2b".into(),
            canvas: "#f8f5f2".into(),
            canvas_dark: "#121011".into(),
            radius: 4,
            logo_height: 24,
        }
    }

    #[test]
    fn contrast_is_that_of_the_guideline() {
        let ratio = |a, b| contrast(luminance(a).unwrap(), luminance(b).unwrap());
        assert_eq!(format!("{:.2}", ratio("#000000", "#ffffff")), "21.00");
        assert_eq!(format!("{:.2}", ratio("#777777", "#ffffff")), "4.48"); // the well-known grey that just fails
        assert_eq!(format!("{:.2}", ratio("#767676", "#ffffff")), "4.54"); // and the one that just passes
    }

    #[test]
    fn a_brand_is_read_easily_and_holds_colours_only() {
        assert!(check_colours(&colours()).is_ok());
        let pale = BrandColours { accent: "#ffd84d".into(), ..colours() };
        assert!(matches!(
            check_colours(&pale),
            Err(TenantError::ContrastMustBeReadable { text: "on_accent", background: "accent", .. })
        ));
        for wrong in ["red", "#fff", "#7a2a5g", "red;}body{background:url(//evil)}", "#7a2a5e;"] {
            let hostile = BrandColours { canvas: wrong.into(), ..colours() };
            assert!(
                matches!(check_colours(&hostile), Err(TenantError::ColourMustHaveSixDigits { name: "canvas" })),
                "{wrong}"
            );
        }
    }
}
