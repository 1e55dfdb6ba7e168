//! Payment by camera: the EPC code that banking apps read, and any QR code as one SVG path.

use super::PrintError;
use money::{Currency, Money};
use qrcode::{Color, EcLevel, QrCode};

/// Largest amount that the EPC guideline allows, in cents.
const CENTS_MAX: i64 = 99_999_999_999;

/// The text of an EPC069-12 code (version 002): a SEPA credit transfer. `None` where the guideline has none: another currency
/// than the euro, no IBAN, or an amount outside 0.01 to 999,999,999.99.
pub fn epc_payload(name: &str, iban: &str, bic: &str, amount: Money, reference: &str) -> Option<String> {
    let cents = amount.minor_units().ok()?;
    let iban: String = iban.chars().filter(|c| !c.is_whitespace()).collect();
    if amount.currency() != Currency::EUR || !(1..=CENTS_MAX).contains(&cents) || iban.is_empty() {
        return None;
    }
    let cut = |text: &str, length: usize| text.chars().take(length).collect::<String>();
    let (name, reference) = (cut(name, 70), cut(reference, 140));
    Some(format!("BCD\n002\n1\nSCT\n{bic}\n{name}\n{iban}\nEUR{}.{:02}\n\n\n{reference}", cents / 100, cents % 100))
}

/// A QR code of level M: one path, one unit per module, no quiet zone (the card that it lies in leaves it white).
pub(crate) fn qr_svg(text: &str) -> Result<String, PrintError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| PrintError::QrTextTooLong)?;
    let (width, modules) = (code.width(), code.to_colors());
    let mut path = String::new();
    for (y, row) in modules.chunks(width).enumerate() {
        let mut x = 0;
        while x < width {
            let run = row[x..].iter().take_while(|module| **module == Color::Dark).count();
            if run > 0 {
                path.push_str(&format!("M{x} {y}h{run}v1h-{run}z"));
            }
            x += run.max(1);
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {width}\"><path fill=\"#fff\" d=\"M0 0h{width}v{width}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    #[test]
    fn an_epc_code_asks_for_the_amount_due_in_euro() {
        let text =
            epc_payload("Northline Voice GmbH", "DE89 3704 0044 0532 0130 00", "COBADEFFXXX", eur("7461"), "NL-000017");
        assert_eq!(
            text.unwrap(),
            "BCD\n002\n1\nSCT\nCOBADEFFXXX\nNorthline Voice GmbH\nDE89370400440532013000\nEUR7461.00\n\n\nNL-000017"
        );
    }

    #[test]
    fn no_epc_code_is_made_of_what_the_guideline_excludes() {
        let iban = "DE89370400440532013000";
        assert_eq!(epc_payload("A", iban, "", eur("0"), "r"), None);
        assert_eq!(epc_payload("A", "", "", eur("1"), "r"), None);
        assert_eq!(epc_payload("A", iban, "", Money::parse("1", Currency::USD).unwrap(), "r"), None);
        assert_eq!(epc_payload("A", iban, "", eur("1000000000"), "r"), None); // above 999,999,999.99
        assert!(epc_payload("A", iban, "", eur("999999999.99"), "r").is_some());
    }

    #[test]
    fn a_qr_code_is_one_path_of_square_modules() {
        let svg = qr_svg("https://example.org").unwrap();
        assert!(svg.contains("viewBox=\"0 0 25 25\"")); // version 2: 25 modules
        assert!(svg.contains("M0 0h7v1h-7z")); // the finder pattern's upper edge
        assert!(matches!(qr_svg(&"x".repeat(4000)), Err(PrintError::QrTextTooLong)));
    }
}
