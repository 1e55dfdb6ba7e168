use super::*;
use money::Currency;
use serde_json::{Value, json};

/// The worked example of the field: 200 calls an hour of 180 s, 80% in 20 s, at most 85% busy, 30% away; one open hour.
fn worked_example() -> Value {
    let mut arrivals = vec![json!(0); 168];
    arrivals[9] = json!(200);
    json!({
        "currency": "EUR", "time_zone": "Europe/Berlin", "week_of": "2026-03-02",
        "hours": [{"days": ["mon"], "from": "09:00", "to": "10:00"}],
        "channels": [
            {"channel": "phone", "per_hour_of_week": arrivals, "talk_seconds": 180, "target": "0.8", "within_seconds": 20}],
        "maximum_occupancy": "0.85", "shrinkage": "0.3",
        "cost_per_agent_hour": "18", "overhead_percent": "25", "cost_per_channel": "7", "margin_percent": "40",
    })
}

/// Work that may wait a week, spread over every hour: no formula between the numbers.
fn letters(per_month: &str) -> Value {
    json!({
        "currency": "EUR", "time_zone": "UTC", "week_of": "2026-03-02",
        "hours": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "24:00"}],
        "channels": [{"channel": "email", "per_month": per_month, "talk_seconds": "540", "after_seconds": "60",
            "within_seconds": "604800"}],
        "maximum_occupancy": "0.8", "shrinkage": "0.25", "cost_per_agent_hour": "20", "margin_percent": "20",
    })
}

fn of(document: &Value) -> Estimate {
    estimate(&Forecast::from_json(document).unwrap()).unwrap()
}

fn plain(amount: Money) -> String {
    amount.format_plain()
}

#[test]
fn the_worked_example_needs_fourteen_agents_and_twenty_are_scheduled() {
    let estimate = of(&worked_example());
    let monday_nine = &estimate.week[9];
    assert_eq!((monday_nine.agents, monday_nine.scheduled, monday_nine.open_minutes), (14, 20, 60));
    assert!(estimate.week.iter().enumerate().all(|(hour, row)| hour == 9 || row.agents == 0));
    let queue = &estimate.busiest[0];
    assert_eq!(queue.needed.service_level.round_dp(4).to_string(), "0.8884");
    assert_eq!(queue.needed.average_wait_seconds.round_dp(2).to_string(), "7.84");
    // Whoever waits holds a line too: 200 x (180 + 7.84) / 3600 = 10.435. 18 lines still refuse only 0.999% of them.
    assert_eq!(estimate.erlangs.round_dp(3).to_string(), "10.435");
    assert_eq!(estimate.channels.channels, 18);
    assert_eq!(estimate.channels.blocking.round_dp(5).to_string(), "0.00999");
}

#[test]
fn a_month_costs_its_paid_hours_overhead_and_lines() {
    let estimate = of(&worked_example());
    let cost = &estimate.cost;
    // A month has 1461 / 336 weeks: 14 and 20 hours a week.
    assert_eq!(cost.agent_hours.to_string(), "60.88"); // 14 x 4.348214
    assert_eq!(cost.paid_hours.to_string(), "86.96"); // 20 x 4.348214
    assert_eq!(plain(cost.wages), "1565.36"); // 86.964286 x 18 = 1565.357
    assert_eq!(plain(cost.overhead), "391.34"); // 25% of 1565.357 = 391.339
    assert_eq!(plain(cost.channels), "126.00"); // 18 x 7
    assert_eq!(plain(cost.total), "2082.70");
    assert_eq!(estimate.by_channel[0].cost, cost.total);
    assert_eq!((estimate.peak_scheduled, estimate.seats), (20, 20)); // 86.96 / 160 = 0.54 people, but 20 at once
}

#[test]
fn suggested_rates_keep_the_margin_and_are_rounded_upwards() {
    let estimate = of(&worked_example());
    let rates = &estimate.rates;
    // 2,082.70 / 0.6 = 3,471.1667; events: 200 x 4.348214 = 869.642857; minutes: 3 each
    assert_eq!(plain(rates.per_event), "4.00"); // 3,471.1667 / 869.642857 = 3.9915
    assert_eq!(plain(rates.per_minute), "1.3305"); // / 2,608.928571 = 1.330495
    assert_eq!(plain(rates.per_hour), "57.03"); // / 60.875 = 57.0212
    assert_eq!(plain(rates.per_seat), "173.56"); // / 20 = 173.5583
    let with_risk = of(&with(worked_example(), "risk_percent", json!("10")));
    assert_eq!(plain(with_risk.rates.per_event), "4.40"); // 3.9915 x 1.1 = 4.3906
    assert_eq!(with_risk.rates.per_hour, rates.per_hour); // a team carries no risk of volume
}

#[test]
fn the_minimum_volume_pays_for_an_agent_in_every_open_hour() {
    let estimate = of(&worked_example());
    // 1 agent: 2 scheduled x 4.348214 h x 18 = 156.54, x 1.25 = 195.67, + 1 line of 7 = 202.67; / 0.6 = 337.78; / 4.00 = 84.4
    assert_eq!(estimate.minimum_events, 85);
    let per_event = &estimate.models[0];
    assert_eq!((per_event.model, plain(per_event.price)), (ModelKind::PerEvent, "3478.57".to_owned())); // 869.642857 x 4.00
    assert_eq!(per_event.terms.of(Decimal::ONE), Exact::from(Money::from_minor(34_000, Currency::EUR).unwrap())); // 85 x 4.00
}

#[test]
fn beginning_costs_training_for_every_seat_and_what_is_fixed() {
    let document = with(worked_example(), "implementation", json!({"hours_per_agent": "40", "fixed": "2000"}));
    // (20 x 40 h x 18 x 1.25 + 2,000) / 0.6 = 20,000 / 0.6
    assert_eq!(plain(of(&document).implementation_fee), "33333.34");
    // Two teams of one size at 18 and 36 an hour: those who are trained cost 27 on average.
    let languages = json!([
        {"name": "de", "share": "0.5", "cost_per_agent_hour": "18"},
        {"name": "en", "share": "0.5", "cost_per_agent_hour": "36"},
    ]);
    let estimate = of(&with(document, "languages", languages));
    let hours = Decimal::from(estimate.seats) * Decimal::from(40);
    let cost = hours * Decimal::from(27) * Decimal::new(125, 2) + Decimal::from(2000);
    let fee = (cost / Decimal::new(6, 1)).round_dp_with_strategy(2, rust_decimal::RoundingStrategy::AwayFromZero);
    assert_eq!(estimate.implementation_fee.as_decimal(), fee);
}

#[test]
fn deferred_work_is_spread_over_the_time_that_it_may_take() {
    // 6,000 letters a month x 10 minutes = 1,000 h; / 4.348214 = 229.98 h a week, / 168 = 1.3689 at once, / 0.8 = 1.711: 2 agents
    let spread = of(&letters("6000"));
    assert!(spread.week.iter().all(|hour| (hour.agents, hour.scheduled) == (2, 3))); // 2 / 0.75 = 2.67
    assert!(spread.busiest.is_empty() && spread.channels.channels == 0);
    assert_eq!(spread.minimum_events, 0); // nobody waits, so nobody must be there
    // Exactly two agents' work is not three: 2 x 0.8 x 168 x 4.348214 h x 6 letters = 7,012.8
    assert!(of(&letters("7012.8")).week.iter().all(|hour| hour.agents == 2));
    assert!(of(&letters("7012.9")).week.iter().all(|hour| hour.agents == 3));
    // All of it on Monday at 8, to be done within three open hours: 8, 9 and 10.
    let mut arrivals = vec![json!(0); 168];
    arrivals[8] = json!(72);
    let mut document = letters("0");
    document["channels"][0] =
        json!({"channel": "messaging", "per_hour_of_week": arrivals, "talk_seconds": "600", "within_seconds": "10800"});
    let agents: Vec<u32> = of(&document).week[7..12].iter().map(|hour| hour.agents).collect();
    assert_eq!(agents, [0, 5, 5, 5, 0]); // 72 x 600 s = 12 h, / 3 = 4 at once, / 0.8
    // What arrives at night waits for the morning.
    document["hours"] = json!([{"days": ["mon", "tue"], "from": "09:00", "to": "11:00"}]);
    let agents: Vec<u32> =
        of(&document).week[7..36].iter().map(|hour| hour.agents).filter(|agents| *agents > 0).collect();
    assert_eq!(agents, [5, 5, 5]); // Monday 9 and 10, Tuesday 9
}

#[test]
fn languages_are_teams_of_their_own_and_cost_more_than_one() {
    let one = of(&worked_example());
    let two = of(&with(
        worked_example(),
        "languages",
        json!([{"name": "de", "share": "0.5"}, {"name": "en", "share": "0.5", "cost_per_agent_hour": "36"}]),
    ));
    let hour = &two.week[9];
    // 5 erlang each: 8 agents keep 80% in 20 s (7 miss it), 8 / 0.7 = 11.4 are scheduled.
    assert_eq!(hour.teams.iter().map(|team| (team.agents, team.scheduled)).collect::<Vec<_>>(), [(8, 12), (8, 12)]);
    assert!(hour.agents > one.week[9].agents);
    assert_eq!(plain(two.cost.wages), "2817.64"); // 12 x 4.348214 x (18 + 36) = 2,817.643
}

#[test]
fn a_region_is_served_in_its_own_time() {
    let document = json!({
        "currency": "EUR", "time_zone": "Europe/Berlin", "week_of": "2026-03-02",
        "hours": [{"days": ["mon"], "from": "09:00", "to": "11:00"}],
        "channels": [{"channel": "phone", "per_month": "434.821428", "talk_seconds": 60, "target": "0.8", "within_seconds": 20}],
        "regions": [
            {"name": "Home", "share": "0.4", "carriage_per_minute": "0.01"},
            {"name": "Kolkata", "share": "0.6", "time_zone": "Asia/Kolkata", "carriage_per_minute": "0.05"}],
        "maximum_occupancy": "0.85", "shrinkage": "0", "cost_per_agent_hour": "18", "margin_percent": "40",
    });
    let estimate = of(&document);
    // In March Kolkata is 4:30 h ahead: 09:00 to 11:00 there is 04:30 to 06:30 in Berlin.
    let open: Vec<(usize, u32)> = estimate
        .week
        .iter()
        .enumerate()
        .map(|(hour, row)| (hour, row.open_minutes))
        .filter(|(_, open)| *open > 0)
        .collect();
    assert_eq!(open, [(4, 30), (5, 60), (6, 30), (9, 60), (10, 60)]);
    // 434.821428 / 4.348214 = 100 a week: 40 over two hours at home; 60 over half, one and half an hour.
    let events: Vec<String> =
        [4, 5, 6, 9, 10].iter().map(|hour| estimate.week[*hour].events.round_dp(3).normalize().to_string()).collect();
    assert_eq!(events, ["15", "30", "15", "20", "20"]);
    // 434.821428 minutes x (0.4 x 0.01 + 0.6 x 0.05) = 434.821428 x 0.034
    assert_eq!(plain(estimate.cost.carriage), "14.78");
    // In July Berlin's clocks are an hour further: 05:30 to 07:30.
    let summer = of(&with(document, "week_of", json!("2026-07-06")));
    assert_eq!((summer.week[4].open_minutes, summer.week[5].open_minutes), (0, 30));
}

#[test]
fn a_profile_weighs_hours_and_days() {
    let mut document = worked_example();
    document["hours"] = json!([{"days": ["mon", "tue"], "from": "09:00", "to": "11:00"}]);
    let mut hours = vec![0; 24];
    (hours[9], hours[10]) = (3, 1);
    document["channels"][0] = json!({"channel": "chat", "per_month": "521.785714", "at_once": 2, "talk_seconds": 180, "target": "0.8",
        "within_seconds": 20, "profile": {"hours": hours, "days": [2, 1, 0, 0, 0, 0, 0]}});
    // 521.785714 / 4.348214 = 120 a week: Monday 2/3, Tuesday 1/3, and of each 3/4 in the first hour.
    let estimate = of(&document);
    let events: Vec<String> =
        [9, 10, 33, 34].iter().map(|hour| estimate.week[*hour].events.round_dp(3).normalize().to_string()).collect();
    assert_eq!(events, ["60", "20", "30", "10"]);
    assert_eq!(estimate.channels.channels, 0); // no call
}

#[test]
fn models_cost_the_same_at_the_forecast_and_part_on_both_sides() {
    let estimate = of(&with(worked_example(), "risk_percent", json!("10")));
    let price = |model: ModelKind, point: &CostPoint| {
        point.prices[estimate.models.iter().position(|row| row.model == model).unwrap()].micros()
    };
    let points: Vec<u32> = estimate.curve.iter().map(|point| point.percent).collect();
    assert_eq!(points, [25, 50, 75, 100, 125, 150, 175, 200]);
    let (low, high) = (&estimate.curve[0], &estimate.curve[7]);
    assert!(price(ModelKind::PerEvent, low) < price(ModelKind::PerHour, low));
    assert!(price(ModelKind::PerEvent, high) > price(ModelKind::PerHour, high));
    // Twice the volume needs less than twice the staff.
    assert!(high.cost.micros() < 2 * estimate.cost.total.micros());
    assert_eq!(estimate.curve[3].cost, estimate.cost.total);
    // 57.03 x 60.875 = 3,471.70 = 4.40 v at 789.02 events
    let meeting = estimate
        .break_evens
        .iter()
        .find(|meeting| (meeting.below, meeting.above) == (ModelKind::PerEvent, ModelKind::PerHour))
        .unwrap();
    assert_eq!(meeting.events.round_dp(2).to_string(), "789.02");
}

#[test]
fn the_parts_of_an_estimate_sum_exactly() {
    let mut document = worked_example();
    document["channels"] = json!([
        {"channel": "phone", "per_month": "3000", "talk_seconds": 100, "after_seconds": 33, "target": "0.8", "within_seconds": 20},
        {"channel": "chat", "per_month": "700", "talk_seconds": 500, "at_once": 3, "target": "0.9", "within_seconds": 60},
        {"channel": "email", "per_month": "900", "talk_seconds": 300, "within_seconds": 14400},
        {"channel": "messaging", "per_month": "1300", "talk_seconds": 90, "within_seconds": 3600}]);
    document["hours"] = json!([{"days": ["mon", "wed", "sun"], "from": "20:00", "to": "02:30"}]);
    let estimate = of(&document);
    let sum = Money::sum(Currency::EUR, estimate.by_channel.iter().map(|channel| channel.cost)).unwrap();
    assert_eq!(sum, estimate.cost.total);
    for hour in &estimate.week {
        assert_eq!(hour.agents, hour.teams.iter().map(|team| team.agents).sum::<u32>());
        assert_eq!(hour.open_minutes == 0, hour.agents == 0);
    }
    // Sunday's night ends on Monday at 02:30, which is the beginning of the week.
    assert_eq!([0, 1, 2, 3].map(|hour: usize| estimate.week[hour].open_minutes), [60, 60, 30, 0]);
}

#[test]
fn an_estimate_and_its_forecast_are_read_as_they_were_written() {
    let forecast = Forecast::from_json(&worked_example()).unwrap();
    let written = serde_json::to_string(&forecast).unwrap();
    assert_eq!(serde_json::from_str::<Forecast>(&written).unwrap(), forecast);
    let estimate = estimate(&forecast).unwrap();
    let written = serde_json::to_string(&estimate).unwrap();
    assert_eq!(serde_json::from_str::<Estimate>(&written).unwrap(), estimate);
}

fn with(mut document: Value, name: &str, value: Value) -> Value {
    document[name] = value;
    document
}

#[test]
fn a_refusal_names_the_field_the_rule_and_the_value() {
    let channel = |name: &str, value: Value| {
        let mut channels = worked_example()["channels"].clone();
        channels[0][name] = value;
        ("channels", channels)
    };
    let twice = json!([worked_example()["channels"][0], worked_example()["channels"][0]]);
    for ((name, value), pointer, code, found) in [
        (("currency", json!("EURO")), "/currency", "currency_must_be_iso_4217", "\"EURO\""),
        (("time_zone", json!("Mars")), "/time_zone", "unknown_time_zone", "\"Mars\""),
        (("week_of", json!("2026-02-30")), "/week_of", "must_be_date", "\"2026-02-30\""),
        (("hours", json!([])), "/hours", "must_not_be_empty", "[]"),
        (
            ("hours", json!([{"days": ["holiday"], "from": "08:00", "to": "09:00"}])),
            "/hours/0/days/0",
            "unknown_day",
            "\"holiday\"",
        ),
        (
            ("hours", json!([{"days": ["mon"], "from": "24:00", "to": "09:00"}])),
            "/hours/0/from",
            "must_be_time_of_day",
            "\"24:00\"",
        ),
        (("channels", json!([])), "/channels", "must_not_be_empty", "[]"),
        (("channels", twice), "/channels/1/channel", "must_not_repeat", "\"phone\""),
        (channel("channel", json!("fax")), "/channels/0/channel", "unknown_channel", "\"fax\""),
        (channel("talk_seconds", json!(0)), "/channels/0/talk_seconds", "must_be_above_zero", "0"),
        (channel("target", json!("1")), "/channels/0/target", "must_be_below_one", "\"1\""),
        (channel("target", json!("80")), "/channels/0/target", "must_be_share", "\"80\""),
        (channel("at_once", json!(0)), "/channels/0/at_once", "must_be_above_zero", "0"),
        (channel("per_month", json!("5")), "/channels/0", "month_or_hours_of_week", ""),
        (channel("per_hour_of_week", json!([1, 2])), "/channels/0/per_hour_of_week", "must_have_entries", "2 entries"),
        (channel("channel", json!("email")), "/channels/0/target", "only_live_channels_have_target", "\"0.8\""),
        (
            ("languages", json!([{"name": "de", "share": "0.6"}, {"name": "en", "share": "0.3"}])),
            "/languages",
            "shares_must_sum_to_one",
            "0.9",
        ),
        (
            ("regions", json!([{"name": "A", "share": "0.5"}, {"name": "A", "share": "0.5"}])),
            "/regions/1/name",
            "must_not_repeat",
            "\"A\"",
        ),
        (
            ("regions", json!([{"name": "A", "share": "1", "time_zone": "X/Y"}])),
            "/regions/0/time_zone",
            "unknown_time_zone",
            "\"X/Y\"",
        ),
        (("maximum_occupancy", json!("0")), "/maximum_occupancy", "must_be_above_zero", "\"0\""),
        (("maximum_occupancy", json!("1.1")), "/maximum_occupancy", "must_be_share", "\"1.1\""),
        (("shrinkage", json!("1")), "/shrinkage", "must_be_below_one", "\"1\""),
        (("margin_percent", json!("100")), "/margin_percent", "margin_must_be_below_whole", "\"100\""),
        (("cost_per_agent_hour", json!("-1")), "/cost_per_agent_hour", "must_not_be_negative", "\"-1\""),
        (("wages", json!("1")), "/wages", "unknown_field", "\"1\""),
    ] {
        let error = Forecast::from_json(&with(worked_example(), name, value)).unwrap_err();
        let told = (error.pointer.as_str(), error.rule.code());
        assert_eq!(told, (pointer, code), "{error}");
        // A whole object is told by its beginning.
        assert!(found.is_empty() || error.found == found, "{error}");
    }
    let missing = Forecast::from_json(&json!({"currency": "EUR"})).unwrap_err();
    assert_eq!((missing.pointer.as_str(), missing.rule.code(), missing.found.as_str()), ("/time_zone", "missing", ""));
}

#[test]
fn a_forecast_built_in_code_obeys_the_same_rules() {
    let read = Forecast::from_json(&worked_example()).unwrap();
    let error = estimate(&Forecast { shrinkage: Decimal::ONE, ..read.clone() }).unwrap_err();
    assert_eq!(
        (error.pointer.as_str(), error.rule.code(), error.found.as_str()),
        ("/shrinkage", "must_be_below_one", "\"1\"")
    );
    let mut idle = read.clone();
    idle.channels[0].volume = Volume::Month { per_month: Decimal::ZERO, profile: None };
    assert_eq!(estimate(&idle).unwrap_err().rule.code(), "volume_must_not_be_zero");
    let mut flood = read;
    flood.channels[0].volume = Volume::Month { per_month: Decimal::from(10_000_000_000i64), profile: None };
    assert_eq!(estimate(&flood).unwrap_err().rule.code(), "too_large");
}
