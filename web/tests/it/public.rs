//! Pages for anybody: the estimator and the return calculator, with sample data, with figures of one's own, and with wrong ones.

use crate::browser::{Browser, pages};
use crate::world::{VOSS, World};

#[actix_web::test]
async fn the_estimator_shows_a_sample_that_is_marked_and_follows_the_figures_of_the_address() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    let sample = browser.get("/estimate").await;
    assert_eq!(sample.status, 200, "{}", sample.body);
    for words in ["Sample data.", "agents at the busiest hour", "What the client pays, by volume", "Erlang C"] {
        assert!(sample.body.contains(words), "{words} in {}", sample.body);
    }
    // 200 calls an hour of 180 s in the one open hour of the week: 14 agents, 20 scheduled, as in the field's worked example
    let own = "/estimate?currency=EUR&zone=Europe/Berlin&phone/per_month=869.642857&phone/talk=3:00&phone/target=80&phone/within=20\
               &hours/mon/from=09:00&hours/mon/to=10:00&busy=85&away=30&agent_hour=18&margin=35";
    let page = browser.get(own).await;
    assert!(page.body.contains("20 agents at the busiest hour"), "{}", page.body);
    assert!(!page.body.contains("Sample data.</b>"), "own figures are no sample");
    let file = browser.get(&own.replace("/estimate?", "/estimate/csv?")).await;
    assert!(
        file.header("content-type").starts_with("text/csv") && file.body.contains("Monday,09:00,60,200,14,20"),
        "{}",
        file.body
    );
}

#[actix_web::test]
async fn figures_that_break_a_rule_come_back_with_a_sentence_at_the_field() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    for (path, words) in [
        ("/estimate?currency=EUR&phone/per_month=many&hours/mon/from=09:00&hours/mon/to=10:00", "Must be a number"),
        ("/estimate?currency=EUR&phone/per_month=10&phone/talk=3:00&hours/mon/from=09:00", "Must say when it closes."),
        ("/estimate?empty=yes", "Nothing arrives yet"),
        ("/roi?days=32&hours=8&margin=0.1&calls=10&occupancy=70&away=30&currency=EUR", "Must be at most 31."),
        ("/roi?days=21&hours=8&margin=0,10&calls=10&occupancy=70&away=30&currency=EUR", "Must have a point"),
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains(words), "{path}: {}", page.body);
    }
    assert_eq!(browser.get("/estimate/csv?currency=EUR").await.status, 422, "no file of nothing");
}

#[actix_web::test]
async fn the_return_calculator_keeps_to_the_ceiling_and_a_resellers_host_shows_its_own_name() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::at(&pages, VOSS);
    let page = browser.get("/roi").await;
    // 21 x 8 x 60 x 0.10 x 10 = 10,080; x 0.714286 x 0.7 = 5,040
    assert!(page.body.contains("€5,040.00 a month of €10,080.00 at most"), "{}", page.body);
    assert!(!page.body.contains("Ringtill"), "the operator's name stands on no page of a reseller's host");
}
