//! One address of the API: what it takes, what it gives, which scope it asks for, and the function behind it. The document at
//! `/v1/openapi.json` is written from the same entries, so it cannot say anything else than what is served.

use super::body;
use super::problem::{ApiResult, Problem};
use crate::app::App;
use crate::host::Site;
use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use chrono::{DateTime, Utc};
use db::TenantTx;
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;
use tenant::{ApiClient, Scope, ScopeGroup};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

/// What a handler works with: one transaction in the book of the key, and the time.
pub struct Ask {
    pub tx: TenantTx,
    pub client: ApiClient,
    pub app: App,
    pub site: Arc<Site>,
    pub now: DateTime<Utc>,
    /// The values in the path, by name.
    pub(super) names: Vec<(String, String)>,
    pub(super) if_match: Option<String>,
}

impl Ask {
    /// An id in the path. What is not one of this kind does not exist.
    pub fn id<T: FromStr>(&self, name: &str) -> ApiResult<T> {
        let value = self.names.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        value.and_then(|value| value.parse().ok()).ok_or_else(Problem::not_found)
    }

    /// Who does something, for timelines and the audit log.
    pub fn actor(&self) -> String {
        self.client.actor()
    }

    /// Refuses when the caller changes something that it has not seen as it is now.
    pub fn must_match(&self, shown: &impl Serialize) -> ApiResult<()> {
        let Some(wanted) = &self.if_match else { return Ok(()) };
        let now = entity_tag(&to_json(shown)?);
        let holds = wanted == "*" || wanted.split(',').any(|tag| tag.trim() == now);
        let changed =
            || Problem::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", "It has changed since you read it.");
        if holds { Ok(()) } else { Err(changed()) }
    }
}

/// What came with a request beside its path.
pub struct Raw {
    pub query: String,
    pub content_type: String,
    pub body: actix_web::web::Bytes,
}

/// Names of schemas with their schemas.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// What a route takes, for the document.
#[derive(Default)]
pub struct Takes {
    pub parameters: Vec<Parameter>,
    pub body: Option<RefOr<Schema>>,
    /// What the body may be sent as; without any, as JSON.
    pub media: &'static [&'static str],
    pub schemas: Schemas,
}

/// What a route gives, for the document.
pub struct Gives {
    pub status: u16,
    pub media: &'static str,
    pub schema: RefOr<Schema>,
    pub schemas: Schemas,
}

/// What a handler takes beside [`Ask`].
pub trait Input: Sized {
    fn read(raw: &Raw) -> ApiResult<Self>;
    fn takes() -> Takes;
}

/// Nothing: no parameter and no body.
pub struct Nothing;

impl Input for Nothing {
    fn read(raw: &Raw) -> ApiResult<Self> {
        body::must_have_no_query(&raw.query)?;
        // An empty object is what many clients send for nothing.
        if raw.body.iter().all(u8::is_ascii_whitespace) || raw.body[..] == b"{}"[..] {
            return Ok(Nothing);
        }
        Err(Problem::bad("body_unexpected", "This address takes no body."))
    }
    fn takes() -> Takes {
        Takes::default()
    }
}

/// Parameters of the address.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned + IntoParams> Input for Asked<T> {
    fn read(raw: &Raw) -> ApiResult<Self> {
        if !raw.body.is_empty() {
            return Err(Problem::bad("body_unexpected", "This address takes no body."));
        }
        body::from_query(&raw.query).map(Asked)
    }
    fn takes() -> Takes {
        Takes { parameters: T::into_params(|| Some(ParameterIn::Query)), ..Takes::default() }
    }
}

/// A JSON body.
pub struct Given<T>(pub T);

impl<T: DeserializeOwned + ToSchema> Input for Given<T> {
    fn read(raw: &Raw) -> ApiResult<Self> {
        body::must_have_no_query(&raw.query)?;
        body::must_be_json(&raw.content_type)?;
        body::from_json(&raw.body).map(Given)
    }
    fn takes() -> Takes {
        let (body, schemas) = schema_of::<T>();
        Takes { body: Some(body), schemas, ..Takes::default() }
    }
}

/// A table as text: prefixes of a rate deck.
pub struct Csv(pub String);

impl Input for Csv {
    fn read(raw: &Raw) -> ApiResult<Self> {
        body::must_have_no_query(&raw.query)?;
        if !raw.content_type.starts_with("text/csv") {
            let detail = "Send the table as `text/csv`.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "csv_required", detail));
        }
        let text = String::from_utf8(raw.body.to_vec());
        text.map(Csv).map_err(|_| Problem::bad("csv_malformed", "The table is not text in UTF-8."))
    }
    fn takes() -> Takes {
        let schema = utoipa::openapi::schema::ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String);
        Takes { body: Some(schema.build().into()), media: &["text/csv"], ..Takes::default() }
    }
}

/// A reference to the type's schema, and every schema that it needs.
pub fn schema_of<T: ToSchema>() -> (RefOr<Schema>, Schemas) {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    (utoipa::openapi::Ref::from_schema_name(T::name()).into(), schemas)
}

/// An answer, ready to be sent and to be kept.
pub struct Written {
    pub status: u16,
    pub media: &'static str,
    pub body: Vec<u8>,
    /// What was made or changed, for the audit log.
    pub subject: String,
    /// For a download: its file name.
    pub file_name: Option<String>,
}

impl Written {
    /// The answer, with the tag by which the caller can say what it has seen.
    pub fn response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut answer = HttpResponse::build(status);
        answer.content_type(self.media);
        if let Some(name) = &self.file_name {
            answer.insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
        } else {
            answer.insert_header((header::ETAG, entity_tag(&self.body)));
        }
        answer.body(self.body)
    }
}

fn entity_tag(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(&Sha256::digest(body)[..12]))
}

fn to_json(shown: &impl Serialize) -> ApiResult<Vec<u8>> {
    serde_json::to_vec(shown).map_err(Problem::failed)
}

/// What a handler gives.
pub trait Output {
    fn write(self) -> ApiResult<Written>;
    fn gives() -> Gives;
}

/// A noun as it is shown: it has an id, which the audit log names.
pub trait Shown: Serialize + ToSchema {
    /// The id of what is shown; empty where it has none.
    fn id(&self) -> String {
        String::new()
    }
}

/// 200 with a noun.
pub struct One<T>(pub T);
/// 201 with a noun that is new.
pub struct Created<T>(pub T);

fn json_of<T: Shown>(status: u16, shown: &T) -> ApiResult<Written> {
    Ok(Written { status, media: "application/json", body: to_json(shown)?, subject: shown.id(), file_name: None })
}

fn json<T: ToSchema>(status: u16) -> Gives {
    let (schema, schemas) = schema_of::<T>();
    Gives { status, media: "application/json", schema, schemas }
}

impl<T: Shown> Output for One<T> {
    fn write(self) -> ApiResult<Written> {
        json_of(200, &self.0)
    }
    fn gives() -> Gives {
        json::<T>(200)
    }
}

impl<T: Shown> Output for Created<T> {
    fn write(self) -> ApiResult<Written> {
        json_of(201, &self.0)
    }
    fn gives() -> Gives {
        json::<T>(201)
    }
}

/// A PDF to be saved under this name.
pub struct Pdf {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Output for Pdf {
    fn write(self) -> ApiResult<Written> {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let name: String = self.name.chars().filter(plain).collect();
        Ok(Written {
            status: 200,
            media: "application/pdf",
            body: self.bytes,
            subject: String::new(),
            file_name: Some(format!("{name}.pdf")),
        })
    }
    fn gives() -> Gives {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        let schema = ObjectBuilder::new().schema_type(Type::String).content_media_type("application/pdf").build();
        Gives { status: 200, media: "application/pdf", schema: schema.into(), schemas: Schemas::new() }
    }
}

pub(super) type Run = Rc<dyn for<'a> Fn(&'a Ask, &'a Raw) -> LocalBoxFuture<'a, ApiResult<Written>>>;

/// How an address is served.
#[derive(Clone)]
pub(super) enum Work {
    /// By this, in one transaction of the book.
    Within(Run),
    /// By the intake of events, whose transactions many requests share.
    Intake,
}

/// One address.
#[derive(Clone)]
pub struct Route {
    pub method: Method,
    /// In full, with `{names}`.
    pub path: &'static str,
    pub scope: Scope,
    /// What it does, in one line.
    pub summary: &'static str,
    pub takes: fn() -> Takes,
    pub gives: fn() -> Gives,
    pub(super) work: Work,
    /// Largest body, bytes.
    pub(super) body_max: usize,
}

impl Route {
    /// Takes a file as its body.
    pub fn large(mut self) -> Route {
        self.body_max = 32 * 1024 * 1024;
        self
    }

    /// Does it change something?
    pub fn changes(&self) -> bool {
        self.scope.writes
    }

    /// A POST that changes something takes effect once, by its `Idempotency-Key`. PUT, PATCH and DELETE are so by themselves.
    pub fn needs_key(&self) -> bool {
        self.changes() && self.method == Method::POST && matches!(self.work, Work::Within(_))
    }

    /// The address at which events come in: each has a key of its own.
    pub fn intake(
        path: &'static str,
        group: ScopeGroup,
        summary: &'static str,
        takes: fn() -> Takes,
        gives: fn() -> Gives,
    ) -> Route {
        let (method, scope, body_max) = (Method::POST, Scope::write(group), super::door::BODY_MAX);
        Route { method, path, scope, summary, takes, gives, work: Work::Intake, body_max }
    }

    /// Names in the path.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('{').skip(1).filter_map(|part| part.split('}').next())
    }
}

fn route<I, O, F>(method: Method, path: &'static str, scope: Scope, summary: &'static str, handler: F) -> Route
where
    I: Input + 'static,
    O: Output + 'static,
    F: for<'a> AsyncFn(&'a Ask, I) -> ApiResult<O> + Copy + 'static,
{
    let run: Run = Rc::new(move |ask, raw| {
        Box::pin(async move {
            let input = I::read(raw)?;
            handler(ask, input).await?.write()
        })
    });
    let (work, body_max) = (Work::Within(run), super::door::BODY_MAX);
    Route { method, path, scope, summary, takes: I::takes, gives: O::gives, work, body_max }
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident = $method:ident, $access:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name<I, O, F>(path: &'static str, group: ScopeGroup, summary: &'static str, handler: F) -> Route
        where
            I: Input + 'static,
            O: Output + 'static,
            F: for<'a> AsyncFn(&'a Ask, I) -> ApiResult<O> + Copy + 'static,
        {
            route(Method::$method, path, Scope::$access(group), summary, handler)
        }
    )*};
}
verbs! {
    /// `GET`
    get = GET, read;
    /// `POST` that only reckons: nothing is stored.
    reckon = POST, read;
    /// `POST` that makes or changes something.
    post = POST, write;
    /// `PUT`
    put = PUT, write;
    /// `PATCH`
    patch = PATCH, write;
    /// `DELETE`
    delete = DELETE, write;
}
