//! A brand and its host names: edited by who has white label, proved by the DNS, and served only then.

use crate::browser::{Browser, pages};
use crate::world::{VOSS, World};
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};

/// A name server that knows one text for whatever it is asked.
fn name_server() -> (std::net::SocketAddr, Arc<Mutex<String>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let text = Arc::new(Mutex::new(String::new()));
    let known = text.clone();
    std::thread::spawn(move || {
        let mut asked = [0u8; 512];
        while let Ok((_, from)) = socket.recv_from(&mut asked) {
            let text = known.lock().unwrap().clone();
            // Answered is the question alone: its name ends with an empty label, its kind and class follow.
            let name = asked[12..].iter().position(|byte| *byte == 0).unwrap();
            let mut answer = asked[..12 + name + 5].to_vec();
            (answer[10], answer[11]) = (0, 0);
            (answer[2], answer[3]) = (0x81, if text.is_empty() { 0x83 } else { 0x80 });
            if !text.is_empty() {
                let length = u8::try_from(text.len()).unwrap();
                answer[7] = 1;
                answer.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
                answer.extend_from_slice(text.as_bytes());
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
    (address, text)
}

const BRAND: [(&str, &str); 15] = [
    ("do", "save"),
    ("name", "Voss Calls"),
    ("support_email", "help@voss.example"),
    ("logo_svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 8 8\"><path d=\"M0 0h8v8z\"/></svg>"),
    ("accent", "#7a2a5e"),
    ("accent_hover", "#641f4c"),
    ("on_accent", "#ffffff"),
    ("accent_text", "#7a2a5e"),
    ("accent_soft", "#f8edf4"),
    ("accent_dark", "#a8457f"),
    ("accent_text_dark", "#eda4cd"),
    ("accent_soft_dark", "#341d2b"),
    ("canvas", "#f8f5f2"),
    ("canvas_dark", "#121011"),
    ("radius", "4"),
];

fn brand_with(field: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut fields: Vec<_> = BRAND.into_iter().filter(|(name, _)| *name != field).collect();
    fields.extend([("logo_height", "24")].into_iter().filter(|(name, _)| *name != field));
    let name = BRAND.iter().map(|(name, _)| *name).chain(["logo_height"]).find(|name| *name == field);
    fields.extend(name.map(|name| (name, value)));
    fields
}

#[actix_web::test]
async fn a_reseller_edits_its_brand_and_what_cannot_be_read_or_could_act_is_refused_at_its_field() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::at(&pages, VOSS);
    browser.sign_in("admin@voss.example").await;
    let page = browser.get("/reseller/settings/brand").await;
    assert!(page.body.contains(VOSS) && page.body.contains("Served"), "{}", page.body);
    for (field, wrong, sentence) in [
        ("name", "", "Must not be empty."),
        ("support_email", "nowhere", "Must be an e-mail address, or empty."),
        ("accent", "red;}", "Must be six hexadecimal digits after a #"),
        ("on_accent", "#a8457f", "4.5:1 is needed to be read."),
        ("canvas", "#7a2a5e", "Has a contrast of 1.00:1 on &#34;Page&#34;"),
        ("radius", "15", "Must be a whole number from 0 to 14."),
        ("logo_height", "40", "Must be a whole number from 24 to 28."),
        ("logo_svg", "<svg onload=\"x()\"></svg>", "it holds an event handler."),
    ] {
        let again = browser.post("/reseller/settings/brand", &page.token(), &brand_with(field, wrong)).await;
        assert_eq!(again.status, 422, "{field}: {}", again.body);
        assert!(again.body.contains(sentence), "{field}: {sentence} in {}", again.body);
        assert!(field == "name" || again.body.contains("value=\"Voss Calls\""), "{field}: the other values stay");
    }
    let looked = browser.post("/reseller/settings/brand", &page.token(), &brand_with("do", "preview")).await;
    assert!(looked.status == 200 && looked.body.contains("Nothing is saved yet"), "{}", looked.body);
    assert!(looked.body.contains("fill=\"#7a2a5e\"") && !looked.body.contains("style=\""), "drawn without a style");
    assert!(tenant::brand(&world.database.db.tenant(world.reseller).await.unwrap()).await.unwrap().is_none());
    let saved = browser.post("/reseller/settings/brand", &page.token(), &brand_with("do", "save")).await;
    assert_eq!((saved.status, saved.to()), (303, "/reseller/settings/brand"), "{}", saved.body);
    let stored = tenant::brand(&world.database.db.tenant(world.reseller).await.unwrap()).await.unwrap().unwrap();
    assert_eq!((stored.name.as_str(), stored.colours.accent.as_str()), ("Voss Calls", "#7a2a5e"));
    // Seen by everybody on the host, after ten seconds at the latest.
    world.app.clock.travel_to(crate::world::start() + chrono::TimeDelta::seconds(11));
    let door = Browser::at(&pages, VOSS).get("/sign-in").await;
    assert!(door.body.contains("Voss Calls") && door.body.contains("/theme/"), "{}", door.body);
}

#[actix_web::test]
async fn a_host_name_is_served_once_its_dns_has_proved_it_and_never_before() {
    let mut world = World::new().await;
    let (dns, text) = name_server();
    world.app.dns = ringtill::dns::resolver(Some(dns)).unwrap();
    let pages = pages(&world).await;
    let mut browser = Browser::at(&pages, VOSS);
    browser.sign_in("admin@voss.example").await;
    let base = "/reseller/settings/brand/hosts";
    let token = browser.get("/reseller/settings/brand").await.token();
    for (wrong, sentence) in [
        ("calls", "Must be a host name, such as calls.example.com."),
        ("calls.example:80", "Must be a host name, such as calls.example.com."),
        ("ringtill.example", "this one is the platform&#39;s own."),
    ] {
        let again = browser.post(base, &token, &[("host", wrong)]).await;
        assert!(again.status == 422 && again.body.contains(sentence), "{wrong}: {}", again.body);
    }
    let host = "phone.voss.example";
    assert_eq!(browser.post(base, &token, &[("host", host)]).await.status, 303);
    let page = browser.get("/reseller/settings/brand").await.body;
    let proof =
        page.split("ringtill=").nth(1).expect("the page says what to write").split('<').next().unwrap().to_owned();
    assert!(page.contains("_ringtill.phone.voss.example") && proof.len() == 32, "{page}");
    let check = format!("{base}/check");
    for (there, problem) in [("", "no TXT record"), ("ringtill=0123", "found &#34;ringtill=0123&#34; instead")] {
        *text.lock().unwrap() = there.to_owned();
        let page = browser.post(&check, &token, &[("host", host)]).await;
        assert!(page.body.contains("is not proved yet") && page.body.contains(problem), "{there}: {}", page.body);
        assert_eq!(Browser::at(&pages, host).get("/sign-in").await.status, 421, "an unproved host is not served");
    }
    *text.lock().unwrap() = format!("ringtill={proof}");
    // Another organisation's claim of the same name asks for another proof: this one is none for it.
    let tx = world.database.db.tenant(world.nord).await.unwrap();
    tenant::claim_domain(&tx, host, "nord", crate::world::start()).await.unwrap();
    let theirs = tenant::domain_claims(&tx).await.unwrap().remove(0);
    assert!(
        !tenant::check_claim(&tx, &theirs, &Ok(vec![format!("ringtill={proof}")]), crate::world::start())
            .await
            .unwrap()
    );
    drop(tx);
    let page = browser.post(&check, &token, &[("host", host)]).await;
    assert!(page.body.contains("phone.voss.example is yours and is served."), "{}", page.body);
    assert_eq!(Browser::at(&pages, host).get("/sign-in").await.status, 200);
    let removed = browser.post(&format!("{base}/removal"), &token, &[("host", host)]).await;
    assert_eq!(removed.status, 303, "{}", removed.body);
    world.app.clock.travel_to(crate::world::start() + chrono::TimeDelta::seconds(11));
    assert_eq!(Browser::at(&pages, host).get("/sign-in").await.status, 421);
}

#[actix_web::test]
async fn without_white_label_the_page_says_so_and_changes_nothing() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let page = browser.get("/admin/settings/brand").await;
    assert!(
        page.body.contains("Your plan has no white label.") && !page.body.contains("Save the brand"),
        "{}",
        page.body
    );
    for (path, fields) in [
        ("/admin/settings/brand", brand_with("do", "save")),
        ("/admin/settings/brand/hosts", vec![("host", "calls.nord.example")]),
        ("/admin/settings/brand/hosts/check", vec![("host", "calls.nord.example")]),
    ] {
        let refused = browser.post(path, &page.token(), &fields).await;
        assert!(refused.status == 422 && refused.body.contains("no white label"), "{path}: {}", refused.body);
    }
    let tx = world.nord().await;
    assert!(tenant::brand(&tx).await.unwrap().is_none() && tenant::domain_claims(&tx).await.unwrap().is_empty());
    let mut lena = Browser::new(&pages);
    lena.sign_in("lena@nord.example").await;
    assert_eq!(lena.get("/admin/settings/brand").await.status, 404, "an agent has no such page");
}
