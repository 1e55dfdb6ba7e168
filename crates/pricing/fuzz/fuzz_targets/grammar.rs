//! Any bytes as a line of `ringtill price`: one JSON object comes back, with results or with a refusal, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pricing::documents::run_line;
use pricing::{Price, Tariff};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let line = String::from_utf8_lossy(bytes);
    let (answer, good) = run_line(&line);
    let answer: Value = serde_json::from_str(&answer).expect("an answer is JSON");
    let refused = answer["error"]["code"].is_string() && answer["error"]["pointer"].is_string();
    assert!(good != refused && good == answer["explain"].is_array(), "{answer}");
    let Ok(document) = serde_json::from_str::<Value>(&line) else { return };
    if let Ok(price) = Price::from_json(&document["price"]) {
        assert_eq!(Price::from_json(&price.to_json()), Ok(price.clone()), "a price is read as it was written");
        let _ = price.cliffs();
    }
    if let Ok(tariff) = Tariff::from_json(&document["tariff"]) {
        let written = serde_json::to_value(&tariff).expect("a tariff is JSON");
        assert_eq!(Tariff::from_json(&written), Ok(tariff), "a tariff is read as it was written");
    }
});
