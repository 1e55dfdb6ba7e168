//! The way of a plan: into the catalogue, through its editor, past the look at what it changes, to a version.

use crate::browser::{Answer, Browser, pages};
use crate::world::{World, flat, founded, start};
use money::Currency;
use subscription::{Limit, NewPlanVersion, NewSubscription, TrialEnd};

/// The fields of the editor's form, as a browser would send them back.
fn form(page: &Answer) -> Vec<(String, String)> {
    let form = page.body.split("id=\"draft\"").nth(1).expect("the editor has a form");
    let form = form.split("</form>").next().unwrap_or_default();
    let value = |tag: &str, name: &str| {
        let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
        rest.split('"').next().map(|text| text.replace("&#38;", "&"))
    };
    let mut fields = Vec::new();
    for tag in form.split('<').filter_map(|tag| tag.split('>').next()) {
        let is_box = tag.contains("type=\"checkbox\"");
        if tag.starts_with("input") && (!is_box || tag.contains(" checked")) {
            fields.extend(value(tag, "name").zip(value(tag, "value")));
        }
    }
    for select in form.split("<select").skip(1) {
        let chosen = select
            .split("</select>")
            .next()
            .unwrap_or_default()
            .split("<option")
            .find(|part| part.contains(" selected"));
        fields.extend(value(select, "name").zip(chosen.and_then(|option| value(option, "value"))));
    }
    fields.retain(|(name, _)| name != "csrf");
    fields
}

/// Which draft a page has shown.
fn revision(page: &Answer) -> String {
    let rest = page.body.split("name=\"revision\" value=\"").nth(1).expect("the page says what it shows");
    rest.split('"').next().unwrap_or_default().to_owned()
}

fn set(fields: &mut Vec<(String, String)>, name: &str, text: &str) {
    fields.retain(|(known, _)| known != name);
    fields.push((name.to_owned(), text.to_owned()));
}

fn pairs<'a>(fields: &'a [(String, String)], deed: &'a str) -> Vec<(&'a str, &'a str)> {
    let kept = fields.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    kept.chain([("do", deed)]).collect()
}

#[actix_web::test]
async fn a_plan_is_written_refused_where_it_is_wrong_saved_as_typed_and_published() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let token = browser.get("/admin/plans/new").await.token();
    let unnamed = browser.post("/admin/plans", &token, &[("name", " "), ("sort", "plan")]).await;
    assert!(unnamed.status == 422 && unnamed.body.contains("Must not be empty."), "{}", unnamed.body);
    let created = browser.post("/admin/plans", &token, &[("name", "Advice line"), ("sort", "plan")]).await;
    let draft = created.to().to_owned();
    assert!(created.status == 303 && draft.ends_with("/draft"), "{}", created.body);

    let mut fields = form(&browser.get(&draft).await);
    set(&mut fields, "components/0/price/unit", "159");
    let more = browser.post(&draft, &token, &pairs(&fields, "component usage")).await;
    assert_eq!(more.status, 200, "a row more is no change yet");
    let mut fields = form(&more);
    set(&mut fields, "components/1/name", "Calls, by the minute");
    set(&mut fields, "components/1/measure", "minutes");
    set(&mut fields, "components/1/price/model", "graduated");
    let tiered = browser.post(&draft, &token, &pairs(&fields, "model components/1/price")).await;
    let mut fields = form(&browser.post(&draft, &token, &pairs(&form(&tiered), "add components/1/price/tiers")).await);
    for (place, text) in [("0/up_to", "500"), ("0/unit", "0,55"), ("1/unit", "0.44")] {
        set(&mut fields, &format!("components/1/price/tiers/{place}"), text);
    }
    let refused = browser.post(&draft, &token, &pairs(&fields, "review")).await;
    assert_eq!(refused.status, 422);
    for words in ["value=\"0,55\"", "Must have a point before its decimals", "value=\"159\""] {
        assert!(refused.body.contains(words), "{words} in {}", refused.body);
    }
    let saved = browser.post(&draft, &token, &pairs(&fields, "save")).await;
    assert_eq!(saved.status, 303, "a draft may break rules");
    let again = browser.get(&draft).await.body;
    assert!(again.contains("value=\"0,55\""), "and is kept as it was typed");
    // Beside the fields: which one, what stands in it and what is wrong; the field itself is marked as well.
    let beside = again.split("No figure yet").nth(1).expect("no figure yet");
    let said = "Calls, by the minute, tier 1, price each, 0,55: must have a point before its decimals";
    assert!(beside.contains(said), "{said} in {beside}");
    assert_eq!(again.matches("Must have a point before its decimals").count(), 1, "at the field: {again}");
    assert!(!again.contains("Nothing here is measured"), "calls are measured");
    let review = draft.clone() + "/review";
    assert_eq!(browser.get(&review).await.status, 409, "but it cannot be published");

    set(&mut fields, "components/1/price/tiers/0/unit", "0.55");
    let preview = browser.post(&draft, &token, &pairs(&fields, "preview")).await;
    // 159 + 500 x 0.55 + 3,500 x 0.44 = 159 + 275 + 1,540
    assert!(preview.body.contains("€1,974.00 in the sample month"), "{}", preview.body);
    let good = browser.post(&draft, &token, &pairs(&fields, "review")).await;
    assert_eq!((good.status, good.to()), (303, review.as_str()), "{}", good.body);
    let looked = browser.get(&review).await;
    assert!(looked.body.contains("Publish version 1"));
    let plan = draft.trim_end_matches("/draft").to_owned();
    let seen = revision(&looked);
    let published = browser.post(&format!("{plan}/versions"), &token, &[("revision", &seen)]).await;
    assert_eq!((published.status, published.to()), (303, plan.as_str()), "{}", published.body);
    let page = browser.get(&plan).await.body;
    assert!(
        page.contains("Version 1") && page.contains("Up to 500") && page.contains("Write the next version"),
        "{page}"
    );
    assert_eq!(browser.get(&review).await.status, 404, "the draft is gone");
    let archived = browser.post(&format!("{plan}/archiving"), &token, &[]).await;
    assert_eq!(archived.status, 303);
    assert!(browser.get("/admin/plans").await.body.contains("No longer sold"));
}

#[actix_web::test]
async fn a_version_that_moves_a_bill_by_more_than_thirty_percent_is_published_after_a_second_look() {
    let world = World::new().await;
    let tx = world.nord().await;
    let plan = subscription::create_plan(&tx, "advice", "Advice", "", false).await.unwrap();
    let terms = NewPlanVersion {
        trial_days: 0,
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("fee", "100"), flat("desk", "20")])
    };
    let first = subscription::publish_version(&tx, plan, &terms, founded()).await.unwrap();
    let wish = |customer_id, starts_at: chrono::DateTime<chrono::Utc>| NewSubscription {
        customer_id,
        plan_version_id: first,
        seats: 1,
        anchor_on: starts_at.date_naive(),
        starts_at,
        trial: false,
    };
    subscription::subscribe(&tx, &wish(world.jonas, founded()), founded()).await.unwrap();
    // Who has no full month behind it is named without a figure.
    subscription::subscribe(&tx, &wish(world.petra, start()), start()).await.unwrap();
    tx.commit().await.unwrap();
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let (draft, versions) = (format!("/admin/plans/{plan}/draft"), format!("/admin/plans/{plan}/versions"));
    let review = format!("{draft}/review");
    let page = browser.get(&draft).await;
    let (token, mut fields) = (page.token(), form(&page));

    // 120 to 156: exactly 30% more is not far.
    set(&mut fields, "components/0/price/unit", "136");
    assert_eq!(browser.post(&draft, &token, &pairs(&fields, "review")).await.status, 303);
    let looked = browser.get(&review).await;
    for words in ["Jonas Weber", "€120.00", "€156.00", "€36.00", "Petra", "no full month yet"] {
        assert!(looked.body.contains(words), "{words} in {}", looked.body);
    }
    assert!(!looked.body.contains("I have seen that the bill"), "{}", looked.body);
    let seen_first = revision(&looked);

    // 120 to 156.01
    set(&mut fields, "components/0/price/unit", "136.01");
    assert_eq!(browser.post(&draft, &token, &pairs(&fields, "review")).await.status, 303);
    // Who has looked at the draft before publishes nothing but what was looked at.
    for stale in [&[("revision", seen_first.as_str()), ("confirmed", "on")][..], &[("confirmed", "on")]] {
        let refused = browser.post(&versions, &token, stale).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        let said = "The draft has changed since you looked at it: admin@nord.example wrote it on 2 Mar";
        for words in ["Nothing was published.", said, "€156.01"] {
            assert!(refused.body.contains(words), "{words} in {}", refused.body);
        }
    }
    let looked = browser.get(&review).await;
    let seen = revision(&looked);
    let looked = looked.body;
    assert!(looked.contains("I have seen that the bill of 1 customer would move by more than 30%"), "{looked}");
    let refused = browser.post(&versions, &token, &[("revision", &seen)]).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    for words in ["Nothing was published.", "Must be ticked."] {
        assert!(refused.body.contains(words), "{words} in {}", refused.body);
    }
    let tx = world.nord().await;
    assert_eq!(subscription::versions_of(&tx, plan).await.unwrap().len(), 1, "nothing is published unseen");
    drop(tx);
    let published = browser.post(&versions, &token, &[("revision", &seen), ("confirmed", "on")]).await;
    assert_eq!(
        (published.status, published.to()),
        (303, format!("/admin/plans/{plan}").as_str()),
        "{}",
        published.body
    );
    let tx = world.nord().await;
    assert_eq!(subscription::versions_of(&tx, plan).await.unwrap().len(), 2);
    let gone = browser.post(&versions, &token, &[("revision", &seen), ("confirmed", "on")]).await;
    assert!(gone.status == 409 && gone.body.contains("The draft is gone"), "{}", gone.body);
}

#[actix_web::test]
async fn the_terms_of_a_plan_say_what_becomes_of_a_trial_and_how_much_of_a_feature_there_is() {
    let world = World::new().await;
    let tx = world.nord().await;
    let limit = |amount: u32, meter: Option<&str>| Limit { amount: amount.into(), meter: meter.map(str::to_owned) };
    let features = ["call_analytics", "crm", "recording"];
    let terms = NewPlanVersion {
        trial_days: 14,
        trial_end: TrialEnd::Cancel,
        features: features.map(str::to_owned).to_vec(),
        limits: [("call_analytics".to_owned(), limit(2000, Some("calls"))), ("crm".to_owned(), limit(5, None))].into(),
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("fee", "100")])
    };
    let with_trial = subscription::create_plan(&tx, "desk", "Desk", "", false).await.unwrap();
    subscription::publish_version(&tx, with_trial, &terms, founded()).await.unwrap();
    let without = subscription::create_plan(&tx, "bare", "Bare", "", false).await.unwrap();
    let bare = NewPlanVersion { trial_days: 0, features: Vec::new(), limits: Default::default(), ..terms };
    subscription::publish_version(&tx, without, &bare, founded()).await.unwrap();
    tx.commit().await.unwrap();
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let page = browser.get(&format!("/admin/plans/{with_trial}")).await.body;
    let said = [
        "Without a means of payment",
        "It is over",
        "when the trial ends",
        "Call analytics (up to 2,000 calls a month), CRM (up to 5), Recording",
    ];
    for words in said {
        assert!(page.contains(words), "{words} in {page}");
    }
    let page = browser.get(&format!("/admin/plans/{without}")).await.body;
    assert!(!page.contains("Without a means of payment"), "without a trial it never comes to that: {page}");
}
