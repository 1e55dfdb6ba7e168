use super::record::{Fault, Rule, fault};

/// What switches write where a caller withheld the number.
const WITHHELD: [&str; 8] =
    ["", "anonymous", "unknown", "private", "restricted", "unavailable", "withheld", "asserted_id_unavailable"];

/// Countries whose national numbers all have one length and begin with no prefix: E.164's country code, digits.
const OF_ONE_LENGTH: [(&str, usize); 17] = [
    ("1", 10),
    ("30", 10),
    ("34", 9),
    ("351", 9),
    ("354", 7),
    ("356", 8),
    ("357", 8),
    ("371", 8),
    ("376", 6),
    ("420", 9),
    ("45", 8),
    ("47", 8),
    ("48", 9),
    ("52", 10),
    ("65", 8),
    ("7", 10),
    ("852", 8),
];

/// How a country dials abroad, where it is not `00`. Where there are several ways, only the `+` is understood.
const ABROAD: [(&str, &str); 13] = [
    ("1", "011"),
    ("55", "+"),
    ("57", "+"),
    ("61", "0011"),
    ("62", "+"),
    ("65", "+"),
    ("66", "+"),
    ("7", "810"),
    ("81", "010"),
    ("82", "+"),
    ("852", "001"),
    ("855", "+"),
    ("886", "+"),
];

/// A telephone number in international form; `None` when it was withheld.
///
/// A `+` begins an international number, and so does what the country dials to call abroad (`00` where no country is given).
/// A national number begins with the country's prefix (mostly `0`), or has exactly as many digits as all numbers of a country
/// without prefix. Digits alone are international without their `+`, if no country is given or they begin with its code. What
/// could be anything else is refused: a guess would charge a call to another country.
pub(super) fn international(field: &str, text: &str, country_code: Option<&str>) -> Result<Option<String>, Fault> {
    let text = text.trim();
    let user = text.strip_prefix("sip:").or_else(|| text.strip_prefix("tel:")).unwrap_or(text);
    let user = user.split(['@', ';']).next().unwrap_or_default();
    if WITHHELD.iter().any(|word| user.eq_ignore_ascii_case(word)) {
        return Ok(None);
    }
    let bare: String = user.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/')).collect();
    let digits = match (bare.strip_prefix('+'), country_code) {
        (Some(digits), _) => Some(digits.to_owned()),
        (None, None) => Some(bare.strip_prefix("00").unwrap_or(&bare).to_owned()),
        (None, Some(country)) => dialled(&bare, country),
    };
    match digits.filter(|digits| is_number(digits)) {
        Some(digits) => Ok(Some(format!("+{digits}"))),
        None => Err(fault(field, Rule::NumberMustBeInternational, text)),
    }
}

/// A number as somebody dials it in a country, in international form; `None` where that would be a guess, or where it is none.
pub fn international_number(dialled: &str, country_code: Option<&str>) -> Option<String> {
    international("called", dialled, country_code).ok().flatten()
}

/// The number as somebody in the country dials it.
fn dialled(bare: &str, country: &str) -> Option<String> {
    let of = |table: &[(&str, &'static str)]| table.iter().find(|(code, _)| *code == country).map(|(_, found)| *found);
    if let Some(digits) = bare.strip_prefix(of(&ABROAD).unwrap_or("00")) {
        return Some(digits.to_owned());
    }
    if let Some((_, length)) = OF_ONE_LENGTH.iter().find(|(code, _)| *code == country) {
        let is_whole = bare.len() == country.len() + length && bare.starts_with(country);
        let is_national = bare.len() == *length && !bare.starts_with('0');
        return if is_whole { Some(bare.to_owned()) } else { is_national.then(|| format!("{country}{bare}")) };
    }
    match country {
        // The nought is part of the number, and mobiles have none: 39x 1234567 could be either.
        "39" if bare.starts_with('0') => Some(format!("39{bare}")),
        "39" if bare.len() < 12 => None,
        "36" => bare.strip_prefix("06").map(|national| format!("36{national}")).or_else(|| whole(bare, country)),
        // Two noughts are the way abroad, where it is not known: with a carrier's digits behind them in Brazil.
        _ if bare.starts_with("00") => None,
        _ => bare.strip_prefix('0').map(|national| format!("{country}{national}")).or_else(|| whole(bare, country)),
    }
}

fn whole(bare: &str, country: &str) -> Option<String> {
    bare.starts_with(country).then(|| bare.to_owned())
}

fn is_number(digits: &str) -> bool {
    let is_plain = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.as_bytes() {
        [b'0', ..] => false,
        // North America: ten digits behind the 1, and an area begins with 2 to 9.
        [b'1', area, ..] => is_plain && digits.len() == 11 && (b'2'..=b'9').contains(area),
        _ => is_plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, country: Option<&str>) -> Result<Option<String>, Rule> {
        international("src", text, country).map_err(|fault| fault.rule)
    }

    #[test]
    fn a_number_is_read_in_every_way_in_which_switches_write_it() {
        for (text, country, expected) in [
            ("+49 30 1234567", None, "+49301234567"),
            ("0049301234567", None, "+49301234567"),
            ("49301234567", None, "+49301234567"),
            ("030 123-4567", Some("49"), "+49301234567"),
            ("49301234567", Some("49"), "+49301234567"),
            ("sip:+12125550100@192.0.2.7;user=phone", None, "+12125550100"),
            // New York from inside the United States, in all three ways; Berlin from there.
            ("2125550100", Some("1"), "+12125550100"),
            ("12125550100", Some("1"), "+12125550100"),
            ("(212) 555-0100", Some("1"), "+12125550100"),
            ("011 49 30 1234567", Some("1"), "+49301234567"),
            // Spain has no prefix, Italy's nought belongs to the number, Hungary's prefix has two digits.
            ("912345678", Some("34"), "+34912345678"),
            ("34912345678", Some("34"), "+34912345678"),
            ("0612345678", Some("39"), "+390612345678"),
            ("393331234567", Some("39"), "+393331234567"),
            ("06301234567", Some("36"), "+36301234567"),
            ("0011 49 30 1234567", Some("61"), "+49301234567"),
            ("0412 345 678", Some("61"), "+61412345678"),
            ("010 49 30 1234567", Some("81"), "+49301234567"),
        ] {
            assert_eq!(read(text, country), Ok(Some(expected.to_owned())), "{text} from {country:?}");
        }
        for text in ["Anonymous", ""] {
            assert_eq!(read(text, None), Ok(None), "{text}");
        }
    }

    #[test]
    fn a_number_that_could_be_of_another_country_is_refused_and_never_guessed() {
        for (text, country) in [
            ("0301234567", None),
            ("1001", None),
            ("+49x30", None),
            ("s", Some("49")),
            ("+0049", None),
            // Morocco is +212, India +91: without the + these are somebody's national numbers.
            ("2125550100", Some("49")),
            ("912345678", Some("49")),
            ("4930123456789", Some("1")),
            ("5550100", Some("1")),
            ("001149301234567", None),
            ("00491234567890", Some("55")),
            ("3911234567", Some("39")),
        ] {
            assert_eq!(read(text, country), Err(Rule::NumberMustBeInternational), "{text} from {country:?}");
        }
    }
}
