//! Lists: newest or first by name, one page at a time, by an opaque place and never by counting.

use super::body::Text;
use super::problem::{ApiResult, Problem};
use super::route::{Output, Shown, Written, schema_of};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use std::str::FromStr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};

const LIMIT_MAX: u32 = 100;
const LIMIT_DEFAULT: u32 = 50;

/// How many to show: 50 when nothing is said, 100 at most.
pub fn limit(asked: Option<Text<u32>>) -> ApiResult<u64> {
    let limit = asked.map_or(LIMIT_DEFAULT, |limit| limit.0);
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(limit.into());
    }
    let rule = format!("must be 1 to {LIMIT_MAX}");
    Err(Problem::invalid("/limit", "must_lie_between", rule).with_value(limit.to_string()))
}

/// Where a page ends, opaque to whoever sends it back.
pub fn place(of: impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(of.to_string())
}

/// The place that a page begins after.
pub fn after<T: FromStr>(asked: Option<&str>) -> ApiResult<Option<T>> {
    let Some(asked) = asked else { return Ok(None) };
    let text = URL_SAFE_NO_PAD.decode(asked).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let found = text.and_then(|text| text.parse().ok());
    let unknown = || {
        let rule = "must be the `next` of the page before";
        Problem::invalid("/starting_after", "unknown_place", rule).with_value(asked)
    };
    found.map(Some).ok_or_else(unknown)
}

/// An instant and an id: the place in a list by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<Id>(pub chrono::DateTime<chrono::Utc>, pub Id);

impl<Id: std::fmt::Display> std::fmt::Display for At<Id> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0.timestamp_micros(), self.1)
    }
}

impl<Id: FromStr> FromStr for At<Id> {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('.').ok_or(())?;
        let at = at.parse().ok().and_then(chrono::DateTime::from_timestamp_micros).ok_or(())?;
        Ok(At(at, id.parse().map_err(|_| ())?))
    }
}

/// One page.
#[derive(Serialize)]
pub struct List<T> {
    object: &'static str,
    data: Vec<T>,
    has_more: bool,
    /// For `starting_after` of the next page.
    next: Option<String>,
}

impl<T> List<T> {
    /// A page with the place after it, when there is more.
    pub fn page(data: Vec<T>, next: Option<String>) -> Self {
        Self { object: "list", has_more: next.is_some(), data, next }
    }

    /// All there is.
    pub fn whole(data: Vec<T>) -> Self {
        Self::page(data, None)
    }
}

/// Takes the row beyond the page off, which only says that there is more; `place` names the last row shown.
pub fn cut<T>(mut rows: Vec<T>, limit: u64, place_of: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(place_of);
    (rows, next)
}

impl<T: Shown> Output for List<T> {
    fn write(self) -> ApiResult<Written> {
        let body = serde_json::to_vec(&self).map_err(Problem::failed)?;
        Ok(Written { status: 200, media: "application/json", body, subject: String::new(), file_name: None })
    }

    fn gives() -> super::route::Gives {
        let (item, mut schemas) = schema_of::<T>();
        let text = |words: &'static str| ObjectBuilder::new().schema_type(Type::String).description(Some(words));
        let next = text("For `starting_after` of the next page; null on the last one.")
            .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]));
        let list = ObjectBuilder::new()
            .property("object", text("Always `list`."))
            .property("data", ArrayBuilder::new().items(item))
            .property("has_more", ObjectBuilder::new().schema_type(Type::Boolean))
            .property("next", next);
        let list = ["object", "data", "has_more", "next"].into_iter().fold(list, ObjectBuilder::required);
        let name = format!("{}List", T::name());
        schemas.push((name.clone(), list.build().into()));
        super::route::Gives {
            status: 200,
            media: "application/json",
            schema: utoipa::openapi::Ref::from_schema_name(name).into(),
            schemas,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::CallId;

    #[test]
    fn a_place_survives_its_text_and_anything_else_is_refused() {
        let at = At(chrono::DateTime::from_timestamp_micros(1_763_700_000_123_456).unwrap(), CallId::new());
        assert_eq!(after::<At<CallId>>(Some(&place(at))).unwrap(), Some(at));
        assert_eq!(after::<At<CallId>>(None).unwrap(), None);
        for nonsense in ["", "x", "é", &place("7"), &place("7.doc_1"), &place("x.call_1")] {
            assert_eq!(after::<At<CallId>>(Some(nonsense)).unwrap_err().fields[0].code, "unknown_place");
        }
    }

    #[test]
    fn a_page_has_1_to_100_rows() {
        assert_eq!(limit(None).unwrap(), 50);
        for (asked, allowed) in [(0, false), (1, true), (100, true), (101, false)] {
            assert_eq!(limit(Some(Text(asked))).is_ok(), allowed, "{asked}");
        }
        assert_eq!(cut(vec![1, 2, 3], 2, |n| n.to_string()), (vec![1, 2], Some("2".into())));
        assert_eq!(cut(vec![1, 2], 2, |n| n.to_string()), (vec![1, 2], None));
    }
}
