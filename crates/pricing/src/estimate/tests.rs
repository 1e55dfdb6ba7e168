use super::*;
use serde_json::{Value, json};

/// The worked example of the field: 200 calls an hour of 180 s, 80% in 20 s, at most 85% busy, 30% away; one open hour.
fn worked_example() -> Value {
    let mut arrivals = vec![json!(0); 168];
    arrivals[9] = json!(200);
    json!({
        "currency": "EUR", "time_zone": "Europe/Berlin", "week_of": "2026-03-02",
        "hours": [{"days": ["mon"], "from": "09:00", "to": "10:00"}],
        "channels": [{"channel": "phone", "per_hour_of_week": arrivals, "talk_seconds": 180, "target": "0.8", "within_seconds": 20}],
        "maximum_occupancy": "0.85", "shrinkage": "0.3",
        "cost_per_agent_hour": "18", "overhead_percent": "25", "cost_per_channel": "7", "margin_percent": "40",
    })
}

fn of(document: Value) -> Estimate {
    estimate(&Forecast::from_json(&document).unwrap()).unwrap()
}

#[test]
fn the_worked_example_needs_fourteen_agents_and_twenty_are_scheduled() {
    let estimate = of(worked_example());
    let monday_nine = &estimate.week[9];
    assert_eq!((monday_nine.agents, monday_nine.scheduled, monday_nine.open_minutes), (14, 20, 60));
    assert!(estimate.week.iter().enumerate().all(|(hour, row)| hour == 9 || row.agents == 0));
    let queue = &estimate.busiest[0];
    assert_eq!(queue.needed.service_level.round_dp(4).to_string(), "0.8884");
    assert_eq!(queue.needed.average_wait_seconds.round_dp(2).to_string(), "7.84");
    // (180 + 7.84) x 200 / 3600
    assert_eq!(estimate.erlangs.round_dp(3).to_string(), "10.435");
}
