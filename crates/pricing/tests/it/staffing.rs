//! Staffing against tables that were worked out elsewhere, and against the definitions with factorials.

use money::{Decimal, parse_decimal};
use pricing::{Channels, Exact, Staffing};

fn number(text: &str) -> Decimal {
    parse_decimal(text).unwrap()
}

/// 100 calls in half an hour, 180 s each, answered within 20 s, 30% away.
fn worked_example(target: &str, maximum_occupancy: &str) -> Staffing {
    Staffing {
        calls_per_hour: number("200"),
        handling_seconds: number("180"),
        target: number(target),
        within_seconds: number("20"),
        maximum_occupancy: number(maximum_occupancy),
        shrinkage: number("0.3"),
    }
}

#[test]
fn the_worked_table_of_ten_erlang_is_met_line_by_line() {
    for (target, agents, service_level, wait, occupancy, scheduled) in [
        ("0.38", 11, "0.3896", "122.8", "0.909", 16),
        ("0.64", 12, "0.6402", "40.4", "0.833", 18),
        ("0.79", 13, "0.7956", "17.1", "0.769", 19),
        ("0.80", 14, "0.8884", "7.8", "0.714", 20), // 13 agents miss 80% by a hair
        ("0.94", 15, "0.9415", "3.7", "0.667", 22),
    ] {
        let needed = worked_example(target, "1").needed().unwrap();
        assert_eq!((needed.agents, needed.scheduled), (agents, scheduled), "{target}");
        assert_eq!(needed.service_level.round_dp(4), number(service_level));
        assert_eq!(needed.average_wait_seconds.round_dp(1), number(wait));
        assert_eq!(needed.occupancy.round_dp(3), number(occupancy));
    }
    // The bound of occupancy is inclusive: 10 / 0.8 = 12.5, so 13; 10 / 1 = 10 is not enough for a queue to end.
    assert_eq!(worked_example("0", "0.8").needed().unwrap().agents, 13);
    assert_eq!(worked_example("0", "0.833").needed().unwrap().agents, 13);
    assert_eq!(worked_example("0", "0.834").needed().unwrap().agents, 12);
    assert_eq!(worked_example("0", "1").needed().unwrap().agents, 11);
}

#[test]
fn channels_follow_the_printed_tables_of_erlang_b() {
    for (erlangs, blocking, channels, refused) in [
        ("10", "0.01", 18, "0.0071"),
        ("4.46", "0.01", 10, "0.0100"),   // printed: 10 channels carry 4.46 erlang at 1%
        ("12.03", "0.01", 20, "0.0100"),  // 20 channels carry 12.03
        ("84.06", "0.01", 100, "0.0100"), // 100 channels carry 84.06
        ("5.08", "0.02", 10, "0.0199"),   // at 2%: 10 channels carry 5.08
        ("2.88", "0.1", 5, "0.0999"),     // at 10%: 5 channels carry 2.88
        ("1", "0.5", 1, "0.5000"),        // 1 / (1 + 1)
        ("3", "1", 0, "1.0000"),          // without a channel every call is refused
    ] {
        let needed = Channels { erlangs: number(erlangs), maximum_blocking: number(blocking) }.needed().unwrap();
        assert_eq!((needed.channels, needed.blocking.round_dp(4)), (channels, number(refused)), "{erlangs} {blocking}");
    }
}

/// `load^servers / servers!`, exact.
fn term(load: &Exact, servers: u32) -> Exact {
    (1..=servers)
        .fold(Exact::integer(1), |term, server| term.times(load).over(&Exact::integer(i64::from(server))).unwrap())
}

#[test]
fn the_recurrences_give_what_the_definitions_with_factorials_give() {
    for (load, servers) in [("0.5", 2), ("1", 2), ("2", 3), ("8", 10), ("7.25", 9), ("19.9", 20)] {
        let exact = Exact::from(number(load));
        let sum = (0..servers).fold(Exact::zero(), |sum, server| sum.plus(&term(&exact, server)));
        let last = term(&exact, servers);
        let blocked = last.over(&sum.plus(&last)).unwrap().to_decimal_places(6).unwrap();
        // The bound a hair above what is refused, so that these are the fewest channels.
        let bound = blocked + number("0.000001");
        let channels = Channels { erlangs: number(load), maximum_blocking: bound }.needed().unwrap();
        assert_eq!((channels.channels, channels.blocking), (servers, blocked), "{load}");
        // Erlang C: the last term counts servers / (servers - load) times.
        let spare = Exact::integer(i64::from(servers)).minus(&exact);
        let queued = last.times(&Exact::integer(i64::from(servers))).over(&spare).unwrap();
        let waiting = queued.over(&sum.plus(&queued)).unwrap();
        // A call of an hour, and nobody may wait at all: 1 - the probability of waiting is the service level.
        let answered = Exact::integer(1).minus(&waiting).to_decimal_places(6).unwrap();
        let staffing = Staffing {
            calls_per_hour: number(load),
            handling_seconds: number("3600"),
            target: answered - number("0.000001"),
            within_seconds: Decimal::ZERO,
            maximum_occupancy: Decimal::ONE,
            shrinkage: Decimal::ZERO,
        };
        let needed = staffing.needed().unwrap();
        assert_eq!((needed.agents, needed.scheduled, needed.service_level), (servers, servers, answered), "{load}");
        // Mean wait of all: probability of waiting x 3600 / spare.
        let wait = waiting.times(&Exact::integer(3_600)).over(&spare).unwrap().to_decimal_places(3).unwrap();
        assert_eq!(needed.average_wait_seconds.round_dp(3), wait);
    }
}

#[test]
fn nothing_to_do_needs_nobody() {
    let idle = Staffing { calls_per_hour: Decimal::ZERO, ..worked_example("0.8", "0.85") }.needed().unwrap();
    assert_eq!((idle.agents, idle.scheduled, idle.service_level), (0, 0, Decimal::ONE));
    let channels = Channels { erlangs: Decimal::ZERO, maximum_blocking: Decimal::ZERO }.needed().unwrap();
    assert_eq!((channels.channels, channels.blocking), (0, Decimal::ZERO));
}
