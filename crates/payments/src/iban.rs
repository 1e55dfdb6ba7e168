//! The number of a bank account, as its bank gave it: checked by its length and its check digits before it is stored.

use std::fmt;

/// Countries of the SEPA schemes, and how long an account's number is there.
const LENGTHS: [(&str, usize); 40] = [
    ("AD", 24),
    ("AL", 28),
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GI", 23),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IS", 26),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("RS", 22),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
];

/// A bank account's number.
#[derive(Clone, PartialEq, Eq)]
pub struct Iban(String);

/// What is wrong with what was given for one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IbanFault {
    #[error("must be letters and digits, beginning with a country and two digits, as in DE89 3704 0044 0532 0130 00")]
    Form,
    #[error("accounts of \"{0}\" cannot be collected from by direct debit")]
    Country(String),
    #[error("an account of {country} has {expected} letters and digits, not {found}")]
    Length { country: String, expected: usize, found: usize },
    #[error("its check digits do not fit the rest: one sign is wrong, or two are swapped")]
    Check,
}

impl Iban {
    /// Reads it as people write it: with or without blanks, in capitals or not.
    pub fn parse(text: &str) -> Result<Iban, IbanFault> {
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
        let bytes = plain.as_bytes();
        let has_form = bytes.len() > 4
            && bytes.iter().all(u8::is_ascii_alphanumeric)
            && bytes[..2].iter().all(u8::is_ascii_uppercase)
            && bytes[2..4].iter().all(u8::is_ascii_digit);
        if !has_form {
            return Err(IbanFault::Form);
        }
        let country = &plain[..2];
        let Some((_, expected)) = LENGTHS.iter().find(|(known, _)| *known == country) else {
            return Err(IbanFault::Country(country.to_owned()));
        };
        if plain.len() != *expected {
            return Err(IbanFault::Length { country: country.to_owned(), expected: *expected, found: plain.len() });
        }
        if remainder(&plain) != 1 {
            return Err(IbanFault::Check);
        }
        Ok(Iban(plain))
    }

    pub(crate) fn stored(text: String) -> Iban {
        Iban(text)
    }

    /// Without blanks.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In groups of four, for who collects.
    pub fn in_groups(&self) -> String {
        let groups: Vec<&str> = self.0.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok()).collect();
        groups.join(" ")
    }

    /// "DE89 … 3000": enough to know it again, for everybody else.
    pub fn masked(&self) -> String {
        format!("{} … {}", &self.0[..4], &self.0[self.0.len() - 4..])
    }
}

/// It is personal: a log shows no more than a page does.
impl fmt::Debug for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// ISO 7064, MOD 97-10: the first four signs go to the end, a letter counts as two digits.
fn remainder(iban: &str) -> u32 {
    let (head, tail) = iban.split_at(4);
    tail.chars().chain(head.chars()).filter_map(|sign| sign.to_digit(36)).fold(0, |so_far, value| {
        let shifted = if value > 9 { so_far * 100 } else { so_far * 10 };
        (shifted + value) % 97
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_as_people_write_it() {
        // The examples that the registry of account numbers prints for each country.
        for written in [
            "DE89 3704 0044 0532 0130 00",
            "de89370400440532013000",
            "AT61 1904 3002 3457 3201",
            "NL91 ABNA 0417 1643 00",
            "GB29 NWBK 6016 1331 9268 19",
            "FR14 2004 1010 0505 0001 3M02 606",
            "IE29 AIBK 9311 5212 3456 78",
        ] {
            assert!(Iban::parse(written).is_ok(), "{written}");
        }
        let iban = Iban::parse("de89370400440532013000").unwrap();
        assert_eq!(iban.in_groups(), "DE89 3704 0044 0532 0130 00");
        assert_eq!((iban.masked().as_str(), format!("{iban:?}").as_str()), ("DE89 … 3000", "DE89 … 3000"));
    }

    #[test]
    fn a_slip_of_one_digit_a_wrong_length_and_a_far_country_are_told_apart() {
        for (written, fault) in [
            ("DE89 3704 0044 0532 0130 01", IbanFault::Check),
            ("DE89 3704 0044 0532 1030 00", IbanFault::Check), // two digits swapped
            ("DE89 3704", IbanFault::Length { country: "DE".into(), expected: 22, found: 8 }),
            ("US64 SVBK US6S 3300 9586 73", IbanFault::Country("US".into())),
            ("4111 1111 1111 1111", IbanFault::Form), // a card, which is none of our business
            ("", IbanFault::Form),
        ] {
            assert_eq!(Iban::parse(written).err(), Some(fault), "{written}");
        }
    }
}
