use super::record::{Fault, Rule, fault};

/// What switches write where a caller withheld the number.
const WITHHELD: [&str; 8] =
    ["", "anonymous", "unknown", "private", "restricted", "unavailable", "withheld", "asserted_id_unavailable"];

/// A telephone number in international form; `None` when it was withheld. `00` and `+` begin an international number, a single
/// `0` a national one where the country is known, and digits alone are international without their `+`.
pub(super) fn international(field: &str, text: &str, country_code: Option<&str>) -> Result<Option<String>, Fault> {
    let refused = || fault(field, Rule::NumberMustBeInternational, text);
    let text = text.trim();
    let user = text.strip_prefix("sip:").or_else(|| text.strip_prefix("tel:")).unwrap_or(text);
    let user = user.split(['@', ';']).next().unwrap_or_default();
    if WITHHELD.iter().any(|word| user.eq_ignore_ascii_case(word)) {
        return Ok(None);
    }
    let bare: String = user.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/')).collect();
    let digits = match (bare.strip_prefix('+'), bare.strip_prefix("00"), bare.strip_prefix('0')) {
        (Some(digits), ..) | (None, Some(digits), _) => digits.to_owned(),
        (None, None, Some(national)) => format!("{}{national}", country_code.ok_or_else(refused)?),
        (None, None, None) => bare,
    };
    let is_number = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    if is_number { Ok(Some(format!("+{digits}"))) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_in_every_way_in_which_switches_write_it_and_never_guessed() {
        for (text, country, expected) in [
            ("+49 30 1234567", None, Some("+49301234567")),
            ("0049301234567", None, Some("+49301234567")),
            ("49301234567", None, Some("+49301234567")),
            ("030 123-4567", Some("49"), Some("+49301234567")),
            ("sip:+12125550100@192.0.2.7;user=phone", None, Some("+12125550100")),
            ("Anonymous", None, None),
            ("", None, None),
        ] {
            assert_eq!(international("src", text, country).unwrap().as_deref(), expected, "{text}");
        }
        for (text, country) in
            [("0301234567", None), ("1001", None), ("+49x30", None), ("s", Some("49")), ("+0049", None)]
        {
            let refused = international("src", text, country).unwrap_err();
            assert_eq!((refused.field.as_str(), refused.rule), ("src", Rule::NumberMustBeInternational), "{text}");
        }
    }
}
