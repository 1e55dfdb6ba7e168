//! Every view with sample values: its HTML is well formed, complete without scripts, and obeys the policy that the header sets.
//! With `RINGTILL_GALLERY=folder` the pages are also written there, to be looked at.

use askama::Template;

use super::{
    sample, sample_console as console, sample_edges as edges, sample_keys as keys, sample_money as money,
    sample_subscriptions as subscriptions,
};

/// Name and HTML of every page.
fn pages() -> Vec<(&'static str, String)> {
    fn html(view: impl Template) -> String {
        view.render().expect("a view with sample values renders")
    }
    vec![
        ("sign-in", html(sample::sign_in())),
        ("sign-in-voxhouse", html(sample::sign_in_voxhouse())),
        ("not-found", html(sample::not_found())),
        ("home", html(console::home())),
        ("home-new", html(console::home_new())),
        ("live", html(console::live())),
        ("live-quiet", html(console::live_quiet())),
        ("calls", html(console::calls())),
        ("call", html(console::call())),
        ("find", html(console::find())),
        ("list", html(console::list())),
        ("plan", html(money::plan())),
        ("customer", html(sample::customer())),
        ("payment", html(sample::payment())),
        ("decide", html(subscriptions::decide())),
        ("form", html(subscriptions::form_page())),
        ("next-bill", html(subscriptions::next_bill())),
        ("portal-plan", html(subscriptions::portal_plan())),
        ("invoice", html(money::invoice())),
        ("runs", html(money::runs())),
        ("run", html(money::run())),
        ("run-ready", html(money::run_ready())),
        ("ledger", html(money::ledger())),
        ("edges", html(edges::edges())),
        ("edges-quiet", html(edges::edges_quiet())),
        ("api-keys", html(keys::api_keys())),
        ("api-keys-none", html(keys::api_keys_none())),
        ("desk", html(sample::desk())),
        ("desk-waiting", html(sample::desk_waiting())),
        ("desk-calls", html(sample::desk_calls())),
        ("portal", html(sample::portal())),
        ("portal-prices", html(sample::portal_prices())),
        ("portal-call", html(sample::portal_call())),
        ("portal-invoice", html(sample::portal_invoice())),
    ]
}

/// Tags in order, as (is closing, name, attributes).
fn tags(html: &str) -> Vec<(bool, String, String)> {
    let mut rest = html;
    let mut found = Vec::new();
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with('!') {
            continue;
        }
        let end = rest.find('>').expect("a tag that opens also ends");
        let (tag, after) = rest.split_at(end);
        rest = &after[1..];
        let closing = tag.starts_with('/');
        let tag = tag.trim_start_matches('/');
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        let attributes = tag[name.len()..].to_owned();
        found.push((closing, name, attributes));
    }
    found
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let at = attributes.find(&format!(" {name}=\""))?;
    let value = &attributes[at + name.len() + 3..];
    Some(value[..value.find('"')?].to_owned())
}

#[test]
fn every_page_closes_what_it_opens() {
    const VOID: [&str; 8] = ["meta", "link", "input", "img", "br", "hr", "source", "wbr"];
    for (page, html) in pages() {
        let mut open: Vec<String> = Vec::new();
        for (closing, name, attributes) in tags(&html) {
            if closing {
                assert_eq!(open.pop().as_deref(), Some(name.as_str()), "{page}: </{name}> closes another element");
            } else if !VOID.contains(&name.as_str()) && !attributes.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{page}: still open at the end: {open:?}");
    }
}

#[test]
fn no_page_needs_an_unsafe_policy() {
    for (page, html) in pages() {
        for (closing, name, attributes) in tags(&html) {
            assert!(!attributes.contains(" style="), "{page}: a style attribute on {name}");
            assert!(
                !attributes.split_whitespace().any(|a| a.starts_with("on") && a.contains('=')),
                "{page}: a handler attribute on {name}:{attributes}"
            );
            assert!(name != "style", "{page}: a style element");
            assert!(
                closing || name != "script" || attributes.contains(" src=\"/assets/"),
                "{page}: a script without an address of our own"
            );
            for reference in ["src", "href", "action"] {
                if let Some(value) = attribute(&attributes, reference) {
                    assert!(
                        !value.starts_with("javascript:") && value != "#" && !value.contains("//"),
                        "{page}: {reference}=\"{value}\""
                    );
                }
            }
        }
    }
}

#[test]
fn every_page_has_one_heading_one_main_part_and_ids_of_its_own() {
    for (page, html) in pages() {
        let tags = tags(&html);
        let count = |tag: &str| tags.iter().filter(|(closing, name, _)| !closing && name == tag).count();
        assert_eq!(count("main"), 1, "{page}: one main part");
        assert_eq!(count("h1"), 1, "{page}: one heading");
        let mut ids: Vec<_> = tags.iter().filter_map(|(_, _, attributes)| attribute(attributes, "id")).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "{page}: an id twice");
        for (_, _, attributes) in &tags {
            for reference in ["for", "aria-controls", "aria-describedby", "popovertarget", "data-twin"] {
                if let Some(id) = attribute(attributes, reference) {
                    assert!(ids.contains(&id), "{page}: {reference}=\"{id}\" names nothing");
                }
            }
        }
    }
}

#[test]
fn every_form_that_posts_carries_the_token_and_every_field_a_name_for_the_ear() {
    for (page, html) in pages() {
        for form in html.split("<form").skip(1) {
            let form = &form[..form.find("</form>").expect("a form ends")];
            if form[..form.find('>').expect("a tag ends")].contains("method=\"post\"") {
                assert!(form.contains("name=\"csrf\""), "{page}: a form without the token: {form}");
            }
        }
        for (closing, name, attributes) in tags(&html) {
            let is_field = matches!(name.as_str(), "input" | "select" | "textarea")
                && attribute(&attributes, "type").as_deref() != Some("hidden");
            if !closing && is_field {
                let named = attributes.contains("aria-label")
                    || attribute(&attributes, "id").is_some_and(|id| html.contains(&format!("for=\"{id}\"")));
                assert!(
                    named || attribute(&attributes, "name").as_deref() == Some("reason"),
                    "{page}: a field without a label: {attributes}"
                );
            }
        }
    }
}

#[test]
fn the_operator_is_not_named_on_the_host_of_a_reseller() {
    let html = sample::sign_in_voxhouse().render().expect("the page renders");
    assert!(!html.contains("Ringtill"));
    assert!(html.contains("/theme/voxhouse.css"));
}

#[test]
fn what_people_write_stays_text() {
    let mut customer = sample::customer();
    customer.heading.title = "<script>alert(1)</script>".into();
    customer.shell.organisation.name = "\"><img src=x onerror=alert(1)>".into();
    let html = customer.render().expect("the page renders");
    assert!(!html.contains("<script>alert") && !html.contains("<img src=x"));
}

#[test]
fn the_gallery_is_written_when_somebody_asks_for_it() {
    let Ok(folder) = std::env::var("RINGTILL_GALLERY") else { return };
    std::fs::create_dir_all(&folder).expect("the gallery's folder can be made");
    for (page, html) in pages() {
        std::fs::write(format!("{folder}/{page}.html"), html).expect("a page can be written");
    }
}
