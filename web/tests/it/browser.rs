//! A browser that keeps cookies, and knows nothing else.

use crate::world::{MAIN, PASSWORD, World};
use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::cookie::Cookie;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::test::TestRequest;
use actix_web::{App, Error, test, web};
use std::collections::BTreeMap;

/// The pages, over this world.
pub async fn pages(world: &World) -> impl Service<Request, Response = ServiceResponse, Error = Error> + use<> {
    test::init_service(App::new().app_data(web::Data::new(world.app.clone())).configure(ringtill::pages::routes)).await
}

pub struct Browser<'a, S> {
    service: &'a S,
    pub host: String,
    pub cookies: BTreeMap<String, String>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where a redirect leads.
    pub fn to(&self) -> &str {
        self.header("location")
    }

    /// The token of the page's forms.
    pub fn token(&self) -> String {
        let rest = self.body.split("name=\"csrf\" content=\"").nth(1).expect("a page carries its token");
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

impl<'a, S> Browser<'a, S>
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    pub fn new(service: &'a S) -> Self {
        Self::at(service, MAIN)
    }

    pub fn at(service: &'a S, host: &str) -> Self {
        Browser { service, host: host.to_owned(), cookies: BTreeMap::new() }
    }

    /// As it is, without the headers that a browser adds.
    pub async fn raw(&self, request: TestRequest) -> ServiceResponse {
        let mut request = request.insert_header(("host", self.host.as_str()));
        for (name, value) in &self.cookies {
            request = request.cookie(Cookie::new(name.clone(), value.clone()));
        }
        self.service.call(request.to_request()).await.expect("every refusal is an answer")
    }

    pub async fn send(&mut self, request: TestRequest) -> Answer {
        let response = self.raw(request).await;
        for cookie in response.response().cookies() {
            if cookie.value().is_empty() {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().try_into_bytes().unwrap_or_default();
        Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(TestRequest::get().uri(path).insert_header(("sec-fetch-site", "same-origin"))).await
    }

    /// As a form of our own page sends it.
    pub async fn post(&mut self, path: &str, token: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("csrf", token)];
        all.extend_from_slice(fields);
        self.send(TestRequest::post().uri(path).insert_header(("sec-fetch-site", "same-origin")).set_form(all)).await
    }

    pub async fn sign_in_with(&mut self, email: &str, password: &str) -> Answer {
        let token = self.get("/sign-in").await.token();
        self.post("/sign-in", &token, &[("email", email), ("password", password)]).await
    }

    /// Signs in; where it leads.
    pub async fn sign_in(&mut self, email: &str) -> String {
        let answer = self.sign_in_with(email, PASSWORD).await;
        assert_eq!(answer.status, 303, "{email} gets in at {}: {}", self.host, answer.body);
        answer.to().to_owned()
    }
}
