//! Any bytes as a forecast or as a month of the return calculator: an estimate comes back, or a refusal, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pricing::{Forecast, Operation, estimate, return_on};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return };
    if let Ok(operation) = Operation::from_json(&document) {
        let _ = return_on(&operation);
    }
    if let Ok(forecast) = Forecast::from_json(&document) {
        let written = serde_json::to_value(&forecast).expect("a forecast is JSON");
        assert_eq!(Forecast::from_json(&written), Ok(forecast.clone()), "a forecast is read as it was written");
        if let Ok(estimate) = estimate(&forecast) {
            let parts = estimate.by_channel.iter().map(|channel| channel.cost.micros()).sum::<i64>();
            assert_eq!(parts, estimate.cost.total.micros(), "channels share the cost exactly");
        }
    }
});
