//! ISO 4217 currencies: three letters and the number of digits of the minor unit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{MICROS_PER_UNIT, MoneyError};

/// An ISO 4217 currency that has a minor unit. Built from its code only, so that an unknown code cannot exist.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

impl Currency {
    /// The euro.
    pub const EUR: Currency = Currency { code: *b"EUR", exponent: 2 };
    /// The US dollar.
    pub const USD: Currency = Currency { code: *b"USD", exponent: 2 };
    /// Pound sterling.
    pub const GBP: Currency = Currency { code: *b"GBP", exponent: 2 };
    /// The yen, which has no minor unit.
    pub const JPY: Currency = Currency { code: *b"JPY", exponent: 0 };

    /// The code, as `EUR`.
    pub fn code(&self) -> &str {
        // The bytes are ASCII letters: `from_str` took them from the ISO table.
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// Digits of the minor unit by ISO 4217: JPY 0, EUR 2, KWD 3, CLF 4.
    pub fn exponent(&self) -> u32 {
        u32::from(self.exponent)
    }

    /// Micros in one minor unit: EUR 10,000 (a cent), JPY 1,000,000.
    pub fn micros_per_minor(&self) -> i64 {
        MICROS_PER_UNIT / 10i64.pow(self.exponent())
    }

    /// What stands before an amount for people: a symbol that means one currency only, else the code and a no-break space.
    pub fn symbol(&self) -> String {
        match &self.code {
            b"EUR" => "€".to_owned(),
            b"USD" => "$".to_owned(),
            b"GBP" => "£".to_owned(),
            b"JPY" => "¥".to_owned(),
            b"INR" => "₹".to_owned(),
            _ => format!("{}\u{a0}", self.code()),
        }
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    /// Upper-case ISO 4217 codes of currencies with a minor unit; metals, test codes and lower case are refused.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let refused = || MoneyError::CurrencyMustBeIso4217(text.chars().take(16).collect());
        let iso = iso_currency::Currency::from_code(text).ok_or_else(refused)?;
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| refused())?;
        if !code.iter().all(u8::is_ascii_uppercase) {
            return Err(refused());
        }
        let exponent = iso.exponent().and_then(|digits| u8::try_from(digits).ok()).ok_or_else(refused)?;
        Ok(Currency { code, exponent })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_unit_is_that_of_iso_4217() {
        for (code, exponent, micros) in [("JPY", 0, 1_000_000), ("EUR", 2, 10_000), ("KWD", 3, 1_000), ("CLF", 4, 100)]
        {
            let currency: Currency = code.parse().unwrap();
            assert_eq!((currency.exponent(), currency.micros_per_minor()), (exponent, micros), "{code}");
            assert_eq!(currency.to_string(), code);
        }
    }

    #[test]
    fn the_named_currencies_are_those_of_the_table() {
        for named in [Currency::EUR, Currency::USD, Currency::GBP, Currency::JPY] {
            assert_eq!(named.code().parse::<Currency>().unwrap(), named);
        }
    }

    #[test]
    fn what_is_no_currency_is_refused() {
        for code in ["", "eur", "Eur", "ZZZ", "QQQ", "EURO", "XAU", "XXX", "€", "E R", "840"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }

    #[test]
    fn a_currency_is_its_code_in_json() {
        assert_eq!(serde_json::to_string(&Currency::EUR).unwrap(), "\"EUR\"");
        assert_eq!(serde_json::from_str::<Currency>("\"KWD\"").unwrap().exponent(), 3);
        assert!(serde_json::from_str::<Currency>("\"eur\"").is_err());
    }
}
