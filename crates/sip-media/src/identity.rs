//! Who is called and who calls, as an INVITE says it.

use crate::control::{CallId, IncomingCall};
use chrono::{DateTime, Utc};
use rsipstack::sip::prelude::*;
use rsipstack::sip::{self, Header};

/// Reads the INVITE; an error when it lacks From or Call-ID.
#[allow(clippy::result_large_err, reason = "the error is the signalling library's own")]
pub(crate) fn incoming(
    call_id: CallId,
    request: &sip::Request,
    received_at: DateTime<Utc>,
) -> rsipstack::Result<IncomingCall> {
    let called = request.uri.user().map(str::to_owned);
    let called = match called {
        Some(user) => user,
        None => request.to_header()?.typed()?.uri.user().unwrap_or_default().to_owned(),
    };
    let asserted = request.headers.iter().find_map(|header| match header {
        Header::PAssertedIdentity(identity) => user_of(identity.value()),
        _ => None,
    });
    let signalled = match asserted {
        Some(user) => Some(user),
        None => request.from_header()?.typed()?.uri.user().map(str::to_owned),
    };
    Ok(IncomingCall {
        call_id,
        sip_call_id: request.call_id_header()?.value().to_owned(),
        called: number(&called),
        caller: signalled.map(|user| number(&user)).filter(|user| !is_withheld(user) && !is_no_number(user)),
        received_at,
    })
}

/// Longer user parts name nobody: numbers have at most 15 digits (E.164), and the names of phones are shorter.
const USER_CHARACTERS_MAX: usize = 64;
const CALL_ID_OCTETS_MAX: usize = 256;
/// The digits of a telephone number, country code included (E.164 6.1), and two for a prefix such as `00`.
const DIGITS_MAX: usize = 17;

/// What must go no further than this door: a control character in a header (RFC 3261 25.1 allows none but those that
/// fold lines, and no database stores U+0000), and names too long to be names.
pub(crate) fn is_malformed(request: &sip::Request) -> bool {
    let has_control =
        |text: &str| text.chars().any(|character| character.is_control() && !"\t\r\n".contains(character));
    let is_long = |user: Option<&str>| user.is_some_and(|user| user.chars().count() > USER_CHARACTERS_MAX);
    let uri_of = |typed: rsipstack::sip::Uri| is_long(typed.user());
    has_control(&request.uri.to_string())
        || request.headers.iter().any(|header| has_control(&header.to_string()))
        || request.call_id_header().is_ok_and(|header| header.value().len() > CALL_ID_OCTETS_MAX)
        || is_long(request.uri.user())
        || request.from_header().and_then(|header| header.typed()).is_ok_and(|from| uri_of(from.uri))
        || request.to_header().and_then(|header| header.typed()).is_ok_and(|to| uri_of(to.uri))
        || request.headers.iter().any(|header| match header {
            Header::PAssertedIdentity(identity) => is_long(user_of(identity.value()).as_deref()),
            _ => false,
        })
}

/// Digits without end are nobody's number.
fn is_no_number(user: &str) -> bool {
    let digits = user.strip_prefix('+').unwrap_or(user);
    digits.len() > DIGITS_MAX && digits.bytes().all(|octet| octet.is_ascii_digit())
}

/// Extensions the caller insists on and the edge lacks (RFC 3261 8.2.2.3): all but session timers.
pub(crate) fn required(request: &sip::Request) -> Option<String> {
    let required = request.headers.iter().filter_map(|header| match header {
        Header::Require(required) => Some(required.value().split(',').map(str::trim)),
        _ => None,
    });
    let lacking: Vec<&str> = required.flatten().filter(|word| !word.eq_ignore_ascii_case("timer")).collect();
    (!lacking.is_empty()).then(|| lacking.join(", "))
}

/// The user part of the first `sip:` or `tel:` address of a header value.
fn user_of(value: &str) -> Option<String> {
    let start = value.find("sip:").or_else(|| value.find("tel:"))? + 4;
    let rest = &value[start..];
    let user = rest.split(['@', ';', '>', ',', ' ']).next()?;
    (!user.is_empty()).then(|| user.to_owned())
}

pub(crate) fn is_withheld(user: &str) -> bool {
    ["", "anonymous", "unknown", "unavailable", "restricted"].iter().any(|word| user.eq_ignore_ascii_case(word))
}

/// A telephone number without its visual separators and parameters; other names as they are.
fn number(user: &str) -> String {
    let user = user.split(';').next().unwrap_or_default();
    let is_number = user.starts_with(|character: char| character == '+' || character.is_ascii_digit())
        && user.chars().all(|character| character.is_ascii_digit() || "+-.() ".contains(character));
    if !is_number {
        return user.to_owned();
    }
    user.chars().filter(|character| character.is_ascii_digit() || *character == '+').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_separators_and_names_stay() {
        for (user, expected) in [
            ("+44-20.7183(87)50", "+442071838750"),
            ("442071838750;phone-context=+44", "442071838750"),
            ("agent.amy", "agent.amy"),
            ("", ""),
        ] {
            assert_eq!(number(user), expected);
        }
    }

    #[test]
    fn the_asserted_user_is_read_from_either_scheme() {
        assert_eq!(user_of("\"A\" <sip:+4930123@trunk.example;user=phone>").as_deref(), Some("+4930123"));
        assert_eq!(user_of("<tel:+4930123;ext=1>").as_deref(), Some("+4930123"));
        assert_eq!(user_of("<mailto:a@b>"), None);
    }
}
