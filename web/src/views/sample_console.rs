//! One value of each page of a book.

use super::{
    book::{Call, CallFilter, Calls, Find, Health, Home, List, Live, LiveBoard, LiveCall, Share, TableCard},
    fields::{Control, Field},
    parts::{
        Fact, Facts, Happening, Heading, Item, Items, PagePath, Pager, Reason, Stat, Stats, Timeline, Why, WhyStep,
    },
    sample::{admin, invoices_table, stamp, token},
    table::{Cell, Column, Empty, Table},
    ui::{Badge, Link, Moment, Tone},
};
use crate::{
    charts::{Chart, Drawn},
    shell::Section,
    urls::Audience,
};

fn topics() -> Table {
    let columns = vec![
        Column::text("Topic"),
        Column::figures("Calls").label("Calls"),
        Column::figures("Minutes").label("Minutes"),
        Column::figures("Revenue, EUR").label("Revenue"),
    ];
    let mut table = Table::new(
        "Today by topic",
        columns,
        Empty::new("phone", "No calls today", "Topics show here with the first call."),
    )
    .dense();
    for (topic, calls, minutes, revenue) in [
        ("Tenancy law", "186", "1,268", "1,305.69"),
        ("Tax and accounts", "139", "1,005", "1,018.12"),
        ("IT help", "0", "0", "0.00"),
    ] {
        table.row(vec![Cell::text(topic), Cell::figure(calls), Cell::figure(minutes), Cell::figure(revenue)]);
    }
    table.total(vec![Cell::text("All"), Cell::figure("325"), Cell::figure("2,273"), Cell::figure("2,323.81")]);
    table
}

pub fn home() -> Home {
    let mut chart = Chart::bars("by-hour", "Minutes by hour", "Minutes by hour, today and last Friday", "Hour")
        .series("Last Friday", Drawn::Ghost, "c1")
        .series("Today", Drawn::Bar, "c1");
    for (hour, before, today) in [
        (7, 74, Some(86)),
        (8, 298, Some(312)),
        (9, 560, Some(548)),
        (10, 598, Some(634)),
        (11, 655, Some(702)),
        (12, 498, Some(511)),
        (13, 541, Some(588)),
        (14, 577, None),
        (15, 612, None),
    ] {
        let cell = |n: i32| (n.to_string(), format!("{n} min"));
        chart.point(format!("{hour:02}:00"), vec![Some(cell(before)), today.map(cell)]);
    }
    Home {
        shell: admin("Today", Section::Home),
        heading: Heading::new("Today")
            .remark("compared with last Friday until 14:32")
            .at(Moment::new("Friday 20 November 2026, 14:32 CET", "2026-11-20T14:32:08+01:00")),
        spans: vec![("Today", "/admin?over=today".into(), true), ("7 days", "/admin?over=7-days".into(), false)],
        stats: Stats(vec![
            Stat::new("Live calls", "14").small("of 40 channels").note("3 waiting, longest 0:42", Tone::Plain).live(),
            Stat::new("Minutes", "3,708").change("+5.2%", Tone::Good).note("from 3,525", Tone::Plain),
            Stat::new("Revenue, net", "€3,885.97").change("+5.3%", Tone::Good).note("from €3,691.38", Tone::Plain),
            Stat::new("Margin", "€2,705.35").note("69.6% of revenue, was 68.6%", Tone::Plain),
            Stat::new("Wallet with Ringtill", "€1,284.60").note("Lasts until about Mon 18:00", Tone::Soon),
        ]),
        charts: vec![chart],
        needs: Items(vec![
            Item::new("alert-circle", Tone::Wrong, "2 calls have no price")
                .note("+49 30 23125 019 lost its tariff at 13:58 CET")
                .action("Look", "/admin/calls?outcome=unpriced"),
            Item::new("wallet", Tone::Soon, "Wallet lasts about 3 days")
                .note("€62.40 reserved, €388.00 a day")
                .action("Open", "/admin/account"),
            Item::new("clock-exclamation", Tone::Soon, "1 invoice is 6 days late")
                .note("Hafenkontor GmbH owes €1,190.00")
                .action("Open", "/admin/invoices/inv_2"),
        ]),
        tables: vec![TableCard {
            title: "By topic".into(),
            all: Some(Link::new("All topics", "/admin/numbers")),
            table: topics(),
        }],
        health: Some(Health {
            checked_at: stamp(),
            checks: Items(vec![
                Item::new("circle-check", Tone::Good, "Entries sum to zero"),
                Item::new("alert-circle", Tone::Wrong, "Numbers without gaps").note("NL 2026: 419 is missing"),
            ]),
            summary: "15 of 16 hold.".into(),
            all_hold: false,
        }),
    }
}

pub fn home_new() -> Home {
    let mut home = home();
    home.charts[0].points.clear();
    home.needs.0.clear();
    home.health = None;
    home.tables =
        vec![TableCard { title: "By topic".into(), all: None, table: Table { rows: Vec::new(), ..topics() } }];
    home
}

fn live_call(caller: &str, elapsed: u64, timer: &str, cost: i64, left: Option<i64>, ending: bool) -> LiveCall {
    let plain = |micros: i64| format!("{}.{:02}", micros / 1_000_000, micros / 10_000 % 100);
    LiveCall {
        id: format!("call_{elapsed}"),
        href: Audience::Tenant.call("call_1"),
        end_href: Audience::Tenant.call_end("call_1"),
        caller: caller.into(),
        caller_number: "+49 176 040 690 21".into(),
        topic: "Tenancy law".into(),
        number: "+49 302 312 5014".into(),
        agent: if elapsed < 30 { String::new() } else { "Lena Vogt".into() },
        state: Badge::new("In the queue", Tone::Soon),
        elapsed_seconds: elapsed,
        timer: timer.into(),
        cost: plain(cost),
        cost_micros: cost,
        increment_micros: 50_000,
        increment_seconds: 6,
        left: left.map(plain),
        left_micros: left.unwrap_or(0),
        runs_out: if ending {
            "in 2:18".into()
        } else if left.is_some() {
            "14:52".into()
        } else {
            "no limit".into()
        },
        runs_out_note: if ending {
            "warned".into()
        } else if left.is_some() {
            "in 20 min".into()
        } else {
            String::new()
        },
        is_ending: ending,
    }
}

pub fn live() -> Live {
    Live {
        shell: admin("Live calls", Section::Live),
        events_href: Audience::Tenant.live_events(),
        zone: "Europe/Berlin (UTC+1)".into(),
        board: LiveBoard {
            at: Moment::new("14:32:08 CET", "2026-11-20T14:32:08+01:00"),
            stats: Stats(vec![
                Stat::new("Talking", "3").small("of 40 channels").note("Most today: 23 at 14:04", Tone::Plain).live(),
                Stat::new("Waiting", "1").note("Longest 0:12, target 0:20", Tone::Plain),
                Stat::new("Agents free", "4").small("of 21"),
                Stat::new("Running cost", "€29.87").note("Reserved €45.00", Tone::Plain),
            ]),
            currency: "EUR".into(),
            calls: vec![
                live_call("Petra Lange", 761, "12:41", 11_350_000, Some(1_150_000), true),
                live_call("Erik Sommer", 688, "11:28", 10_750_000, Some(61_650_000), false),
                live_call("Brandt Immobilien KG", 2046, "34:06", 18_520_000, None, false),
                live_call("Anke Thoma", 12, "0:12", 0, Some(20_000_000), false),
            ],
            last_call: "The last one ended at 14:02 CET.".into(),
            csrf: token(),
            summary: "3 calls, 1 waiting, 1 about to run out".into(),
        },
    }
}

pub fn live_quiet() -> Live {
    let mut live = live();
    live.board.calls.clear();
    live
}

pub fn calls() -> Calls {
    let columns = vec![
        Column::text("Caller"),
        Column::text("Topic and number").hidden(),
        Column::text("Agent").hidden(),
        Column::text("Answered").full(),
        Column::figures("Time").label("Time"),
        Column::figures("Charge, EUR"),
        Column::text("State"),
    ];
    let mut table =
        Table::new("Calls", columns, Empty::new("phone", "No call fits this filter", "Widen the days, or clear it."));
    for (name, state, tone) in [
        ("Jonas Weber", "Settled", Tone::Good),
        ("Willi Franke", "No price", Tone::Wrong),
        ("Anke Thoma", "Not answered", Tone::Plain),
    ] {
        table.row(vec![
            Cell::name(name).to(Audience::Tenant.call("call_8Qw2hR5nVt0Y")).sub("+49 171 392 0014").sub_class("tel"),
            Cell::text("Tenancy law").sub("+49 302 312 5014").sub_class("tel"),
            Cell::text("Marek Wolf"),
            Cell::text("20 Nov, 13:41"),
            Cell::figure("0:26:09"),
            Cell::figure(if tone == Tone::Good { "16.55" } else { "0.00" }),
            Cell::badge(state, tone),
        ]);
    }
    Calls {
        shell: admin("Calls", Section::Calls),
        heading: Heading::new("Calls").facts("Times are Europe/Berlin (UTC+1)"),
        filter: CallFilter {
            action: Audience::Tenant.calls(),
            query: "+49 171".into(),
            days: [("from", "From", "2026-11-01"), ("until", "Until", "2026-11-20")]
                .map(|(name, label, on)| Field::text(name, label, on).control(Control::Date)),
            topic: "Tenancy law".into(),
            topics: vec!["Tenancy law".into(), "IT help".into()],
            outcome: "settled".into(),
            outcomes: vec![("settled", "Settled"), ("unanswered", "Not answered"), ("unpriced", "No price")],
        },
        totals: Stats(vec![
            Stat::new("Calls", "8,412"),
            Stat::new("Minutes", "61,204"),
            Stat::new("Charged", "€63,118.40"),
            Stat::new("Net", "€53,040.67"),
        ]),
        table,
        pager: Pager {
            shown: "50 calls, newest first".into(),
            first: Some(Audience::Tenant.calls()),
            next: Some("/admin/calls?before=abc".into()),
        },
    }
}

pub fn why() -> Why {
    Why(vec![
        WhyStep::new("Which price", "Advice, stepped v3, day", "").open().path(
            vec![
                Link::new("+49 302 312 5014", ""),
                Link::new("digit 2", ""),
                Link::new("Tenancy law", ""),
                Link::new("Advice, stepped v3", "/admin/plans/plan_1"),
            ],
            "in force since 1 Oct 2026, 00:00 CEST; Friday 13:41 lies in the band “day”, 08:00 to 20:00",
        ),
        WhyStep::new("How long", "by started 6 seconds", "26.2 min").open().reasons(vec![
            Reason::new("Answered 13:41:07, ended 14:07:16", "1,569 s").note("talk time 0:26:09"),
            Reason::new("Up to the next 6 seconds", "1,572 s").note("at least 60 s, no free seconds"),
        ]),
        WhyStep::new("What it costs", "set-up and two steps", "€16.55").open().reasons(vec![
            Reason::new("Set-up", "5.00").calculation("1 × 5.00"),
            Reason::new("First 20 minutes", "10.00").calculation("20.0 × 0.50"),
            Reason::new("After 20 minutes", "1.55").calculation("6.2 × 0.25"),
            Reason::new("Most a call can cost", "60.00").note("not reached").idle(),
            Reason::new("Sum", "16.55").sum(),
        ]),
        WhyStep::new("Rounding", "16.550000 is already exact", "€0.00")
            .reasons(vec![Reason::new("Rounded once, at the close of the call", "0.00").note("half away from zero")]),
        WhyStep::new("Tax", "19% VAT is inside the price", "€2.64").reasons(vec![
            Reason::new("Net", "13.91").note("16.55 / 1.19 = 13.907563"),
            Reason::new("VAT 19%", "2.64"),
        ]),
    ])
}

fn legs() -> Table {
    let columns = vec![
        Column::text("Leg"),
        Column::figures("Quantity").label("Time"),
        Column::figures("Sold, EUR").label("Sold"),
        Column::figures("Bought, EUR").label("Bought"),
        Column::figures("Margin, EUR").label("Margin"),
    ];
    let mut legs = Table::new(
        "Legs of the call",
        columns,
        Empty::new("route", "No legs yet", "They are written when the call ends."),
    );
    legs.row(vec![
        Cell::text("Caller to your number").sub("Bought: 30% of the net price"),
        Cell::figure("26.2 min"),
        Cell::figure("13.91"),
        Cell::figure("4.17"),
        Cell::figure("9.74"),
    ]);
    legs.row(vec![
        Cell::text("Your number to Marek Wolf").sub("Bought: €0.0040/min"),
        Cell::figure("26.2 min"),
        Cell::figure("0.00"),
        Cell::figure("0.10"),
        Cell::figure("−0.10"),
    ]);
    legs.total(vec![
        Cell::text("Both legs"),
        Cell::none(),
        Cell::figure("13.91"),
        Cell::figure("4.27"),
        Cell::figure("9.64"),
    ]);
    legs
}

pub fn call() -> Call {
    let at = |t: &str| Moment::new(t, format!("2026-11-20T{t}+01:00"));
    Call {
        shell: admin("Call", Section::Calls),
        heading: Heading::new("€16.55 for 26 minutes on Tenancy law")
            .path(PagePath::under("Calls", Audience::Tenant.calls(), "call_8Qw2hR5nVt0Y").id())
            .badge("Settled", Tone::Good)
            .facts("Jonas Weber, +49 171 392 0014")
            .at(Moment::new("Friday 20 November 2026, 13:40:31 CET", "2026-11-20T13:40:31+01:00")),
        facts: Facts(vec![
            Fact::new("Number", "+49 302 312 5014"),
            Fact::new("Agent", "Marek Wolf, seat 05"),
            Fact::new("Talk time", "0:26:09"),
            Fact::new("Billed time", "26.2 min"),
            Fact::new("Net revenue", "€13.91"),
            Fact::new("Your margin", "€9.64").quiet("69.3%"),
            Fact::new("Wallet after", "€26.25").to("/admin/customers/cus_7Hk2"),
        ]),
        why_note: "Recomputed from the stored facts just now: same result".into(),
        why_tone: Tone::Plain,
        why: why(),
        legs: legs(),
        routes: None,
        shares: vec![
            Share { name: "Margin".into(), amount: "9.64".into(), series: 1, start: 0, width: 690 },
            Share { name: "Ringtill’s share".into(), amount: "4.17".into(), series: 2, start: 694, width: 296 },
        ],
        shares_text: "Of 13.91 net: margin 9.64, Ringtill’s share 4.17".into(),
        timeline: Timeline {
            wide: false,
            steps: vec![
                Happening::new(at("13:40:31"), "Call in", Tone::Plain).note("from carrier Nordnetz"),
                Happening::new(at("13:41:07"), "Marek Wolf answers", Tone::On)
                    .note("after 26 s, 14 s in the queue")
                    .amount("7.50 reserved"),
                Happening::new(at("14:07:16"), "Caller hangs up", Tone::Plain).note("normal clearing"),
                Happening::new(at("14:07:16"), "Settled", Tone::Good).note("0.95 released").amount("−16.55"),
            ],
        },
        receipt_href: Some("/admin/invoices/inv_1".into()),
    }
}

pub fn find() -> Find {
    let columns = vec![Column::text("What"), Column::text("Kind")];
    let mut table = Table::new(
        "Found",
        columns,
        Empty::new("search", "Nothing begins with this", "Try an id, a number with +, or a name."),
    );
    table.row(vec![Cell::name("Jonas Weber").to("/admin/customers/cus_7Hk2"), Cell::badge("Customer", Tone::Plain)]);
    Find { shell: admin("Find", Section::Elsewhere), query: "jon".into(), table }
}

pub fn list() -> List {
    List {
        shell: admin("Invoices", Section::Invoices),
        heading: Heading::new("Invoices").facts("€3,572.34 open, €1,190.00 late"),
        stats: Stats::default(),
        search: Some((Audience::Tenant.invoices(), String::new())),
        tabs: vec![
            ("Issued".into(), "/admin/invoices".into(), true),
            ("Drafts".into(), "/admin/invoices?state=draft".into(), false),
        ],
        cards: vec![TableCard { title: String::new(), all: None, table: invoices_table() }],
        pager: Some(Pager { shown: "1 invoice, newest first".into(), first: None, next: None }),
    }
}
