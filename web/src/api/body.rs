//! What a request gives, read strictly: a field that is not known is refused, and so is one that comes twice. The refusal says
//! where it stands and which rule it breaks.

use super::problem::{ApiResult, Problem};
use actix_web::http::StatusCode;
use money::Decimal;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::error::Category;
use serde_path_to_error::Segment;
use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Reads a JSON body.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    if holds_nul(bytes) {
        return Err(Problem::bad(
            "control_character",
            "The body holds a NUL character (\\u0000), which no text may have.",
        ));
    }
    // First: what is read into a value, or counted on below, would keep the last of two without a word.
    pricing::must_name_each_field_once(bytes)
        .map_err(|twice| Problem::invalid(twice.pointer, "must_be_unique", TWICE))?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(refused)?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

const TWICE: &str = "this field is given twice";

/// True where a string of the JSON text spells U+0000, which PostgreSQL cannot keep.
fn holds_nul(json: &[u8]) -> bool {
    let mut rest = json.iter();
    while let Some(byte) = rest.next() {
        // A backslash takes the character after it along, so that an escaped backslash begins no escape.
        if *byte == b'\\' && rest.next() == Some(&b'u') && rest.as_slice().starts_with(b"0000") {
            return true;
        }
    }
    false
}

/// Reads the parameters of an address.
pub fn from_query<T: DeserializeOwned>(query: &str) -> ApiResult<T> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|_| Problem::bad("query_malformed", "The query cannot be read."))?;
    let mut given = serde_json::Map::new();
    for (name, value) in pairs {
        let pointer = child("", &name);
        if value.chars().any(crate::security::is_control) {
            return Err(Problem::invalid(pointer, "control_character", "this parameter holds a control character"));
        }
        if given.insert(name, value.into()).is_some() {
            return Err(Problem::invalid(pointer, "must_be_unique", "this parameter is given twice"));
        }
    }
    let given = serde_json::Value::Object(given);
    serde_path_to_error::deserialize(&given).map_err(|error| refused(error).with_values_in(&given))
}

/// Refuses an address with parameters where none are taken.
pub fn must_have_no_query(query: &str) -> ApiResult<()> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    from_query::<Empty>(query).map(|_| ())
}

fn refused(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    if error.inner().classify() != Category::Data {
        return malformed(error.inner());
    }
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => pointer = format!("{pointer}/{index}"),
            Segment::Map { key } => pointer = child(&pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let message = error.inner().to_string();
    // serde_json says where in the text; the pointer says it better.
    let rule = message.split(" at line ").next().unwrap_or_default();
    let named = |start: &str| rule.strip_prefix(start).and_then(|rest| rest.split('`').next()).map(str::to_owned);
    let at = |name: &str| if pointer.ends_with(&child("", name)) { pointer.clone() } else { child(&pointer, name) };
    if let Some(name) = named("unknown field `") {
        Problem::invalid(at(&name), "unknown_field", "this field is unknown here")
    } else if let Some(name) = named("missing field `") {
        Problem::invalid(child(&pointer, &name), "missing", "this field is missing")
    } else if let Some(name) = named("duplicate field `") {
        Problem::invalid(at(&name), "must_be_unique", TWICE)
    } else if rule.starts_with("invalid type") || rule.starts_with("invalid value") {
        let expected = rule.rsplit_once(", expected ").map_or(rule, |(_, expected)| expected);
        Problem::invalid(pointer, "wrong_type", format!("must be {}", in_words(expected)))
    } else if rule.starts_with("unknown variant") {
        let expected = rule.split_once(", expected ").map_or("", |(_, expected)| expected);
        let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        Problem::invalid(pointer, "unknown_word", format!("must be one of: {}", words.join(", ")))
    } else {
        Problem::invalid(pointer, "malformed", plain(rule))
    }
}

/// What a reader of texts says, for people who send them: it knows numbers, instants and ids by names of its own.
fn plain(rule: &str) -> &str {
    let rule = rule.split_once(UNREAD).map_or(rule, |(_, why)| why);
    match rule {
        _ if TIME_FAULTS.contains(&rule) => {
            "must be an instant, as in 2026-03-02T10:00:00Z, or a day, as in 2026-03-02"
        }
        "invalid digit found in string" | "cannot parse integer from empty string" => "must be a whole number",
        "number too large to fit in target type" => "must be a smaller number",
        "number too small to fit in target type" => "must be a larger number",
        "provided string was not `true` or `false`" => "must be true or false",
        "not an id of this kind" => "must be an id of what is asked for here",
        other => other,
    }
}

/// Stands between a text that cannot be read and the reason.
const UNREAD: &str = "\" cannot be read: ";

/// What is said of a text that is no instant and no day.
const TIME_FAULTS: [&str; 5] = [
    "input contains invalid characters",
    "premature end of input",
    "input is out of range",
    "trailing input",
    "no possible date and time matching input",
];

/// What a reader of types expects, for people who send JSON.
fn in_words(expected: &str) -> Cow<'_, str> {
    match expected {
        "u8" => "a whole number from 0 to 255".into(),
        "u16" => "a whole number from 0 to 65535".into(),
        "u32" => "a whole number from 0 to 4294967295".into(),
        "u64" | "usize" => "a whole number, not negative".into(),
        "i32" | "i64" => "a whole number".into(),
        "a string" | "a borrowed string" => "a text".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "an object".into(),
        of if of.starts_with("struct ") => "an object".into(),
        other => other.into(),
    }
}

/// `~` and `/` of a name are escaped (RFC 6901).
fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What is not JSON, with the place where it stops being so.
pub fn malformed(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    if error.to_string().starts_with("recursion limit") {
        return Problem::bad("json_too_deep", format!("The body is nested too deeply ({place})."));
    }
    Problem::bad("json_malformed", format!("The body is not JSON ({place})."))
}

/// The body that a route takes must say that it is JSON.
pub fn must_be_json(content_type: &str) -> ApiResult<()> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "json_required", "Send the body as `application/json`."))
}

/// A value that is written as a text: a parameter, or a number that must not go through a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text<T>(pub T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Text).map_err(|error| D::Error::custom(format!("\"{text}{UNREAD}{error}")))
    }
}

/// A decimal number, as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub Decimal);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        money::parse_decimal(&text).map(Number).map_err(D::Error::custom)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.normalize())
    }
}

impl ToSchema for Number {
    fn name() -> Cow<'static, str> {
        "Number".into()
    }
}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().schema_type(Type::String).description(Some("A decimal number as a text."));
        object.examples(["12.5"]).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "what counts is whether it can be read")]
    struct Sample {
        name: String,
        #[serde(default)]
        parts: Vec<Part>,
        amount: Option<Number>,
        count: Option<Text<u32>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "what counts is whether it can be read")]
    struct Part {
        size: u32,
    }

    #[test]
    fn a_text_holds_no_nul_however_it_is_written() {
        for (body, is_refused) in [
            (r#"{"name":"a\u0000b"}"#, true),
            (r#"{"name":"\\\u0000"}"#, true),
            // An escaped backslash, and then the letters.
            (r#"{"name":"a\\u0000b"}"#, false),
            (r#"{"name":"a\u0001"}"#, false),
        ] {
            let read = from_json::<Sample>(body.as_bytes());
            assert_eq!(read.is_err_and(|problem| problem.code == "control_character"), is_refused, "{body}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        for (body, code, pointer) in [
            (r#"{"name":"a","x":1}"#, "unknown_field", "/x"),
            (r#"{"name":"a","parts":[{"size":1},{"size":2,"tenant_id":3}]}"#, "unknown_field", "/parts/1/tenant_id"),
            (r#"{"parts":[]}"#, "missing", "/name"),
            (r#"{"name":"a","parts":[{}]}"#, "missing", "/parts/0/size"),
            (r#"{"name":"a","name":"b"}"#, "must_be_unique", "/name"),
            (r#"{"name":"a","parts":[{"size":1,"size":2}]}"#, "must_be_unique", "/parts/0/size"),
            (r#"{"name":7}"#, "wrong_type", "/name"),
            (r#"{"name":"a","parts":[{"size":-1}]}"#, "wrong_type", "/parts/0/size"),
            (r#"{"name":"a","amount":1.5}"#, "wrong_type", "/amount"),
            (r#"{"name":"a","amount":"1,5"}"#, "malformed", "/amount"),
            (r#"{"name":"a","a/b~":1}"#, "unknown_field", "/a~1b~0"),
        ] {
            let problem = from_json::<Sample>(body.as_bytes()).unwrap_err();
            assert_eq!((problem.status.as_u16(), &*problem.code), (422, "invalid"), "{body}");
            assert_eq!((&*problem.fields[0].code, &*problem.fields[0].pointer), (code, pointer), "{body}");
        }
        let deep = format!("{{\"name\":{}", "[".repeat(100_000));
        for (body, code) in [("", "json_malformed"), ("{", "json_malformed"), ("{\"name\":\"a\"} x", "json_malformed")]
            .into_iter()
            .chain([(deep.as_str(), "wrong_type")])
        {
            let problem = from_json::<Sample>(body.as_bytes()).unwrap_err();
            let found = problem.fields.first().map_or(&*problem.code, |field| &*field.code);
            assert_eq!(found, code, "{}", &body[..body.len().min(20)]);
        }
        let deep = format!("{}1", "[".repeat(100_000));
        assert_eq!(from_json::<serde_json::Value>(deep.as_bytes()).unwrap_err().code, "json_too_deep");
    }

    #[test]
    fn a_parameter_is_read_once_and_by_its_type() {
        let good: Sample = from_query("name=a&count=7").unwrap();
        assert_eq!(good.count, Some(Text(7)));
        for (query, code, pointer) in [
            ("name=a&count=x", "malformed", "/count"),
            ("name=a&name=b", "must_be_unique", "/name"),
            ("name=a&sort=id;drop", "unknown_field", "/sort"),
        ] {
            let problem = from_query::<Sample>(query).unwrap_err();
            assert_eq!((&*problem.fields[0].code, &*problem.fields[0].pointer), (code, pointer), "{query}");
        }
    }
}
