//! Rules of single values, shared by the nouns of this crate.

use crate::error::{Result, Rule, must};
use chrono::{Months, NaiveDate};

/// A year that was mistyped would be billed month by month.
pub(crate) fn within_ten_years(field: &str, day: NaiveDate, today: NaiveDate) -> Result<()> {
    let reach = Months::new(120);
    let from = today.checked_sub_months(reach).unwrap_or(NaiveDate::MIN);
    let to = today.checked_add_months(reach).unwrap_or(NaiveDate::MAX);
    must((from..=to).contains(&day), field, Rule::MustLieWithinTenYears, day)
}

pub(crate) fn not_empty(field: &str, value: &str) -> Result<()> {
    must(!value.trim().is_empty(), field, Rule::MustNotBeEmpty, value)
}

/// What people read in a table and on paper.
pub(crate) fn name(field: &str, value: &str) -> Result<()> {
    const CHARS_MAX: u32 = 200;
    not_empty(field, value)?;
    must(value.chars().count() <= CHARS_MAX as usize, field, Rule::MustBeShort(CHARS_MAX), value)
}

/// `+`, a digit that is not 0, then 3 to 14 more.
pub(crate) fn e164(field: &str, value: &str) -> Result<()> {
    let digits = value.strip_prefix('+').unwrap_or_default();
    let holds = (4..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    must(holds, field, Rule::MustBeE164, value)
}

pub(crate) fn digits(field: &str, value: &str, least: u8, most: u8) -> Result<()> {
    let holds = (usize::from(least)..=usize::from(most)).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_digit());
    must(holds, field, Rule::MustBeDigits(least, most), "*".repeat(value.chars().count().min(20)))
}

pub(crate) fn time_zone(field: &str, value: &str) -> Result<()> {
    must(pricing::must_be_time_zone(value).is_ok(), field, Rule::MustBeTimeZone, value)
}

pub(crate) fn country(field: &str, value: &str) -> Result<()> {
    let holds = COUNTRIES.split_ascii_whitespace().any(|known| known == value);
    must(holds, field, Rule::MustBeCountry, value)
}

/// ISO 3166-1, and XK for Kosovo, which the standard leaves to its users.
const COUNTRIES: &str = "
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ
    UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

pub(crate) fn email(field: &str, value: &str) -> Result<()> {
    let holds = value
        .split_once('@')
        .is_some_and(|(local, host)| !local.is_empty() && host.contains('.') && !host.contains('@'));
    must(holds && !value.contains(char::is_whitespace), field, Rule::MustBeEmail, value)
}

/// Two or three small letters, and optionally a region: `pt-BR`.
pub(crate) fn language(field: &str, value: &str) -> Result<()> {
    let (tongue, region) = value.split_once('-').map_or((value, None), |(tongue, region)| (tongue, Some(region)));
    let holds = (2..=3).contains(&tongue.len())
        && tongue.bytes().all(|byte| byte.is_ascii_lowercase())
        && region.is_none_or(|region| region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase()));
    must(holds, field, Rule::MustBeLanguage, value)
}

pub(crate) fn slug(field: &str, value: &str) -> Result<()> {
    let of_ours = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    must((2..=60).contains(&value.len()) && value.bytes().all(of_ours), field, Rule::MustBeSlug, value)
}

pub(crate) fn coupon(field: &str, value: &str) -> Result<()> {
    let of_ours = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
    must((2..=40).contains(&value.len()) && value.bytes().all(of_ours), field, Rule::MustBeCouponCode, value)
}

pub(crate) fn key(field: &str, value: &str) -> Result<()> {
    let of_ours = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    must((1..=40).contains(&value.len()) && value.bytes().all(of_ours), field, Rule::MustBeKey, value)
}

pub(crate) fn feature(field: &str, value: &str) -> Result<()> {
    let of_ours = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    must((1..=60).contains(&value.len()) && value.bytes().all(of_ours), field, Rule::MustBeFeature, value)
}

pub(crate) fn between(field: &str, value: i64, least: i64, most: i64) -> Result<()> {
    must((least..=most).contains(&value), field, Rule::MustLieBetween(least, most), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_one_that_there_is() {
        for (code, is_one) in [("DE", true), ("XK", true), ("XX", false), ("de", false), ("DEU", false), ("", false)] {
            assert_eq!(country("country", code).is_ok(), is_one, "{code}");
        }
        // The standard has 249.
        assert_eq!(COUNTRIES.split_ascii_whitespace().count(), 249 + 1);
    }
}
