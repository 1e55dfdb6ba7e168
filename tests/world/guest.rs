//! Somebody at the pages without a browser: cookies, forms, and what the answers say.

use crate::Program;
use reqwest::redirect::Policy;
use ringtill::demo::{PASSWORD, VOXHOUSE_HOST};
use std::net::SocketAddr;
use std::time::Duration;

/// What came back.
pub struct Answer {
    pub status: u16,
    /// Where it leads, as the header says; empty without one.
    pub location: String,
    /// The `Date` of the answer, as RFC 9110 writes it.
    pub date: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text, with the entities for quotes and ampersands read back.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.replace("&#39;", "'").replace("&#x27;", "'").replace("&#34;", "\"").replace("&amp;", "&")
    }

    /// The links of the page that begin so, each once, without query and without what lies deeper.
    pub fn links(&self, start: &str) -> Vec<String> {
        let text = self.text();
        let mut found: Vec<String> = Vec::new();
        for (at, _) in text.match_indices("href=\"") {
            let link = text[at + 6..].split(['"', '?', '#']).next().unwrap_or_default();
            let is_one = link.strip_prefix(start).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
            if is_one && !found.iter().any(|known| known == link) {
                found.push(link.to_owned());
            }
        }
        found
    }
}

/// One person, signed in or not. A redirect is an answer, not followed.
pub struct Guest {
    client: reqwest::Client,
    origin: String,
    token: String,
}

impl Guest {
    /// Nobody yet, at this host of the program.
    pub fn at(program: &Program, host: &str) -> Self {
        let address: SocketAddr = program.http.parse().expect("the program's address is one");
        let client = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(Policy::none())
            .resolve(host, address)
            // The server hangs up on a client that is silent for some seconds, as one is while a peer runs.
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(30));
        let client = client.build().expect("a client without TLS can be built");
        Self { client, origin: program.origin(host), token: String::new() }
    }

    /// A person of the demo world, signed in on the host where its organisation is shown.
    pub async fn signed_in(program: &Program, email: &str) -> Self {
        let is_voxhouse = ["@voxhouse.example", "@brightline.example"].iter().any(|end| email.ends_with(end));
        let mut guest = Self::at(program, if is_voxhouse { VOXHOUSE_HOST } else { "localhost" });
        guest.token = token_of(&guest.get("/sign-in").await);
        let answer = guest.post("/sign-in", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{email} may sign in: {}", answer.text());
        guest.token = token_of(&guest.get(&answer.location).await);
        assert!(!guest.token.is_empty(), "{email}'s pages carry a token");
        guest
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.client.get(format!("{}{path}", self.origin))).await
    }

    /// Sends a form as a page of our own would, with the session's token.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(path, fields, "same-origin").await
    }

    /// Sends the same form as a browser does that shows somebody else's page.
    pub async fn post_from_elsewhere(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(path, fields, "cross-site").await
    }

    /// The same session, whose forms have lost their token.
    pub fn without_its_token(&self) -> Self {
        Self { client: self.client.clone(), origin: self.origin.clone(), token: String::new() }
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)], site: &str) -> Answer {
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", self.token.as_str())]).collect();
        let request = self.client.post(format!("{}{path}", self.origin)).header("sec-fetch-site", site);
        answer(request.form(&fields)).await
    }

    /// The page, once it says this; a worker may still be at it. Panics with the page after a while.
    pub async fn page_that_says(&self, path: &str, words: &str) -> Answer {
        for _ in 0..150 {
            let page = self.get(path).await;
            if page.status == 200 && page.text().contains(words) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{path} never said {words:?}:\n{}", self.get(path).await.text());
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the program answers");
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (status, location, date) = (response.status().as_u16(), header("location"), header("date"));
    Answer { status, location, date, body: response.bytes().await.expect("the answer has an end").to_vec() }
}

/// The token that the page's forms carry.
fn token_of(page: &Answer) -> String {
    let text = page.text();
    let after = text.split_once("name=\"csrf\" content=\"").or_else(|| text.split_once("name=\"csrf\" value=\""));
    after.and_then(|(_, after)| after.split('"').next()).unwrap_or_default().to_owned()
}
