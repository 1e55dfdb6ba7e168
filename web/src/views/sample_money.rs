//! One value of each page that shows what is sold, billed and posted.

use super::{
    catalogue::{ComponentCard, Plan},
    invoices::{Beneath, Invoice, InvoiceLine, LineCalls, LineGroup},
    parts::{Fact, Facts, Happening, Heading, Item, Items, PagePath, Stat, Stats, SumRow, Sums, Timeline},
    runs::{Finalization, Ledger, Phase, PhaseState, Run, RunForm, RunProgress, Runs, ThrowAway},
    sample::{admin, stamp},
    table::{Cell, Column, Empty, Table},
    ui::{Badge, Link, Moment, Tone},
};
use crate::{
    shell::{Section, Token},
    urls::Audience,
};

pub fn plan() -> Plan {
    let mut prices = Table::new(
        "Prices",
        vec![Column::text("Up to"), Column::figures("Each, EUR")],
        Empty::new("tag", "No price", "It is included."),
    )
    .dense();
    prices.row(vec![Cell::text("1,000 calls"), Cell::figure("1.20")]);
    prices.row(vec![Cell::text("above"), Cell::figure("0.95")]);
    let none = |what: &str| {
        Table::new(
            what,
            vec![Column::text("Name")],
            Empty::new("tag", "None", "Nothing of the kind belongs to this plan."),
        )
        .dense()
    };
    Plan {
        shell: admin("Advice line Business", Section::Plans),
        heading: Heading::new("Advice line Business")
            .path(PagePath::under("Plans", Audience::Tenant.plans(), "plan_1").id())
            .badge("Version 3", Tone::On)
            .facts("8 subscriptions"),
        terms: Facts(vec![
            Fact::new("Term", "12 months").quiet("10% off"),
            Fact::new("Trial", "14 days"),
            Fact::new("Least to pay", "€49.00 a month"),
            Fact::new("Currency", "EUR"),
        ]),
        components: vec![ComponentCard {
            name: "Overflow calls".into(),
            basis: "per call, in arrears, graduated".into(),
            prices,
        }],
        tariffs: None,
        add_ons: none("Add-ons"),
        versions: none("Versions"),
        subscriptions: none("Subscriptions"),
        archive_href: Some(Audience::Tenant.plan_archive("plan_1")),
    }
}

pub fn line_calls() -> LineCalls {
    let columns = vec![
        Column::text("Call, Europe/Berlin"),
        Column::text("From").hidden(),
        Column::figures("Time"),
        Column::figures("Net, EUR"),
    ];
    let mut table = Table::new("Calls of this line", columns, Empty::new("phone", "Nothing beneath", "")).dense();
    for (at, time, net) in [("2 Oct, 09:14", "0:18:32", "14.30"), ("7 Oct, 16:02", "0:34:06", "18.52")] {
        table.row(vec![
            Cell::text(at).to("/admin/calls/call_1"),
            Cell::text("+49 699 000 9420").class("tel"),
            Cell::figure(time),
            Cell::figure(net),
        ]);
    }
    table.total(vec![Cell::text("2 calls"), Cell::none(), Cell::figure("0:52:38"), Cell::figure("32.82")]);
    LineCalls { table, more: Some(Link::new("All 6 calls", "/admin/calls?line=7")) }
}

pub fn invoice_groups(opened: bool) -> Vec<LineGroup> {
    let line = |id: &str, text: &str, quantity: &str, price: &str, net: &str| InvoiceLine {
        id: id.into(),
        text: text.into(),
        sub: "1 to 31 October".into(),
        mark: String::new(),
        quantity: quantity.into(),
        price: price.into(),
        net: net.into(),
        beneath: None,
        opened: None,
    };
    let beneath = |id: &str| Beneath {
        open_href: Audience::Tenant.invoice_opened("inv_1", id),
        part_href: Audience::Tenant.invoice_line("inv_1", id),
        close_href: Audience::Tenant.invoice("inv_1"),
    };
    let mut calls = line("3", "Consultation calls", "6", "by call", "88.12");
    calls.beneath = Some(beneath("3"));
    calls.opened = opened.then(line_calls);
    let mut overflow = line("2", "Overflow calls, first 1,000", "1,000", "1.20", "1,200.00");
    overflow.beneath = Some(beneath("2"));
    let mut fees = line("4", "Court register fees", "2", "21.00", "42.00");
    fees.mark = "no VAT".into();
    vec![
        LineGroup { name: "Team".into(), lines: vec![line("1", "Dedicated team", "86.5 h", "28.00", "2,422.00")] },
        LineGroup { name: "Calls".into(), lines: vec![overflow, calls] },
        LineGroup { name: "Other".into(), lines: vec![fees] },
    ]
}

pub fn tax() -> Table {
    let columns = vec![
        Column::text("Treatment"),
        Column::figures("Rate").label("Rate"),
        Column::figures("Base, EUR").label("Base"),
        Column::figures("VAT, EUR").label("VAT"),
    ];
    let mut table = Table::new("Tax", columns, Empty::new("scale", "No tax", "")).dense();
    table.row(vec![
        Cell::text("Standard, Germany"),
        Cell::figure("19%"),
        Cell::figure("4,857.43"),
        Cell::figure("922.91"),
    ]);
    table.row(vec![
        Cell::text("Out of scope, passed on"),
        Cell::figure("none"),
        Cell::figure("42.00"),
        Cell::figure("0.00"),
    ]);
    table.total(vec![Cell::text("All"), Cell::none(), Cell::figure("4,899.43"), Cell::figure("922.91")]);
    table
}

pub fn invoice() -> Invoice {
    Invoice {
        shell: admin("NL-2026-000418", Section::Invoices),
        heading: Heading::new("€5,822.34 to Brandt Immobilien KG")
            .path(PagePath::under("Invoices", Audience::Tenant.invoices(), "NL-2026-000418"))
            .badge("Partly paid", Tone::Soon)
            .facts("issued 2 Nov 2026, 06:12 CET · October 2026, Europe/Berlin"),
        currency: "EUR".into(),
        groups: invoice_groups(true),
        net: "4,899.43".into(),
        tax: tax(),
        due: "due 30 Nov 2026".into(),
        to_pay: Sums(vec![
            SumRow::plain("Net", "4,899.43"),
            SumRow::plain("VAT 19% of 4,857.43", "922.91"),
            SumRow::sum("Total", "5,822.34"),
            SumRow::plain("Paid 9 Nov, bank transfer", "−2,000.00"),
            SumRow::sum("Still to pay", "€3,822.34"),
        ]),
        payments: Items(vec![
            Item::new("building-bank", Tone::Plain, "Bank transfer")
                .note("9 Nov 2026, matched by number")
                .amount("2,000.00"),
        ]),
        timeline: Timeline {
            wide: true,
            steps: vec![
                Happening::new(Moment::new("1 Nov, 02:19", "2026-11-01T02:19:00+01:00"), "Draft", Tone::Plain),
                Happening::new(
                    Moment::new("2 Nov, 06:12", "2026-11-02T06:12:00+01:00"),
                    "Issued as NL-2026-000418",
                    Tone::On,
                ),
                Happening::new(
                    Moment::new("9 Nov, 08:40", "2026-11-09T08:40:00+01:00"),
                    "Payment of 2,000.00",
                    Tone::Good,
                )
                .note("3,822.34 still to pay"),
            ],
        },
        pdf_href: Some(Audience::Tenant.invoice_pdf("inv_1")),
        payment_href: Some(Audience::Tenant.customer_payments("cus_2")),
        payment_amount: "€3,822.34".into(),
        throw_away: None,
    }
}

pub fn runs() -> Runs {
    let columns = vec![Column::text("Run"), Column::figures("Invoices").label("Invoices"), Column::text("State")];
    let mut table = Table::new(
        "Runs",
        columns,
        Empty::new("player-play", "No runs yet", "The first one drafts the invoices of a month."),
    );
    table.row(vec![
        Cell::name("October 2026").to(Audience::Tenant.run("run_1")).sub("1 Nov 2026, 02:12 CET"),
        Cell::figure("1,940"),
        Cell::badge("Drafting", Tone::On),
    ]);
    Runs {
        shell: admin("Invoice runs", Section::Runs),
        heading: Heading::new("Invoice runs").facts("Times are Europe/Berlin (UTC+1)"),
        table,
        start: RunForm {
            action: Audience::Tenant.runs(),
            periods: vec![("2026-11".into(), "November 2026".into())],
            note: "1,940 subscriptions are due.".into(),
            can_start: true,
        },
    }
}

fn failures() -> Table {
    let columns = vec![Column::text("Customer"), Column::text("Why").full(), Column::text("What to do").full()];
    let mut failures = Table::new(
        "Subscriptions that could not be drafted",
        columns,
        Empty::new(
            "circle-check",
            "Nothing failed",
            "A subscription that cannot be drafted waits here with its remedy.",
        ),
    );
    failures.row(vec![
        Cell::name("Weserlicht eG").sub("sub_4Jq81x").sub_class("id"),
        Cell::text("Tax rate missing for IT, reduced"),
        Cell::text("Add the rate, then start the run again"),
    ]);
    failures
}

pub fn run() -> Run {
    Run {
        shell: admin("October 2026", Section::Runs),
        heading: Heading::new("October 2026, monthly")
            .path(PagePath::under("Invoice runs", Audience::Tenant.runs(), "run_2026_10").id())
            .badge("Drafting", Tone::On)
            .facts("Started by Mara Stein · you may leave this page")
            .at(Moment::new("Sunday 1 November 2026, 02:12:30 CET", "2026-11-01T02:12:30+01:00")),
        events_href: Audience::Tenant.run_events("run_1"),
        progress: RunProgress {
            title: "Drafting".into(),
            now: "Now: Hafenkontor GmbH, customer 812 of 1,940".into(),
            done: "79,680".into(),
            done_count: 79_680,
            of: "of 104,120 subscriptions".into(),
            total_count: 104_120,
            left: "about 27 s left".into(),
            done_width: 765,
            failed_width: 4,
            succeeded: "79,674 drafted".into(),
            failed: Some("6 failed, kept".into()),
            to_go: "24,440 to go".into(),
            rate: "905 a second, 1:28 so far".into(),
            phases: vec![
                Phase { name: "Plan", text: "done in 0:09".into(), state: PhaseState::Done },
                Phase { name: "Draft", text: "running, 1:28".into(), state: PhaseState::Now },
                Phase { name: "Issue", text: "numbers, ledger".into(), state: PhaseState::Later },
                Phase { name: "Documents", text: "PDF".into(), state: PhaseState::Later },
            ],
            is_over: false,
        },
        failures: failures(),
        failure_count: 1,
        retry_href: Some(Audience::Tenant.run_retry("run_1")),
        sums: Sums(vec![
            SumRow::plain("Invoices", "79,674"),
            SumRow::plain("Net, EUR", "4,722,904.18"),
            SumRow::Note("September, whole run: 6,102,338.10".into()),
        ]),
        finalization: Finalization {
            action: Audience::Tenant.run_finalization("run_1"),
            checks: Items(vec![
                Item::new("circle-dashed", Tone::Plain, "Every subscription drafted or left out")
                    .note("24,440 to go, 6 failed"),
                Item::new("circle-check", Tone::Good, "Lines add up to invoices").note("checked on each draft"),
            ]),
            state: Badge::new("Waiting for drafts", Tone::Plain),
            button: None,
            refused: Some("Issue after drafting".into()),
        },
        throw_away: Some(throw_away()),
        invoices_href: Some(Audience::Tenant.invoices()),
    }
}

fn throw_away() -> ThrowAway {
    ThrowAway {
        title: "Throw this run away".into(),
        text: "Its drafts are thrown away. What they would have billed is due again in the next run.".into(),
        action: Audience::Tenant.run_abandonment("run_1"),
        button: "Throw away 79,674 drafts".into(),
        token: Token::default(),
    }
}

pub fn run_ready() -> Run {
    let mut run = run();
    run.progress.is_over = true;
    run.finalization.refused = None;
    run.finalization.button = Some("Issue 104,114 invoices".into());
    run.finalization.state = Badge::new("Ready", Tone::On);
    run
}

pub fn ledger() -> Ledger {
    let columns = vec![
        Column::text("Account"),
        Column::figures("Debit, EUR").label("Debit"),
        Column::figures("Credit, EUR").label("Credit"),
    ];
    let mut accounts =
        Table::new("Accounts", columns, Empty::new("scale", "No entries yet", "The first payment or call posts here."))
            .dense();
    accounts.group("Assets");
    accounts.row(vec![Cell::text("Bank"), Cell::figure("2,842,306.55"), Cell::none()]);
    accounts.group("Owed");
    accounts.row(vec![Cell::text("Customer wallets"), Cell::none(), Cell::figure("2,842,306.55")]);
    accounts.total(vec![Cell::text("Sum"), Cell::figure("2,842,306.55"), Cell::figure("2,842,306.55")]);
    Ledger {
        shell: admin("Trial balance", Section::Ledger),
        heading: Heading::new("Trial balance").badge("Balances", Tone::Good).facts("Nordlicht’s book, EUR").at(stamp()),
        currencies: vec![
            ("EUR".into(), "/admin/ledger?currency=EUR".into(), true),
            ("USD".into(), "/admin/ledger?currency=USD".into(), false),
        ],
        on: super::fields::Field::text("on", "At the end of", "").control(super::fields::Control::Date),
        on_action: "/admin/ledger".into(),
        currency: "EUR".into(),
        stats: Stats(vec![
            Stat::new("Debits", "2,842,306.55").note("1 account", Tone::Plain),
            Stat::new("Credits", "2,842,306.55"),
            Stat::new("Difference", "0.00").note("must be 0.00", Tone::Plain),
            Stat::new("Entries", "41,806,224"),
        ]),
        accounts,
        checks: Items(vec![
            Item::new("circle-check", Tone::Good, "Entries sum to zero"),
            Item::new("circle-check", Tone::Good, "Wallets equal entries"),
        ]),
        checks_note: "2 of 2 hold.".into(),
        clearing: Sums(vec![SumRow::plain("Suspense clearing", "0.00"), SumRow::plain("Rounding, this month", "0.04")]),
    }
}

pub fn means() -> super::means::Means {
    super::means::Means {
        methods: vec![super::means::MethodRow {
            icon: "building-bank",
            title: "Direct debit from DE89 … 3000".into(),
            note: "Jonas Weber, mandate 10001-1, since 2 Mar 2026, by Jonas Weber".into(),
            remove_href: Some("/admin/customers/cus_7Hk2/payment-methods/pmt_1/removal".into()),
        }],
        none: "None on file".into(),
        none_text: String::new(),
        grant: None,
        csrf: crate::shell::Token("token".into()),
    }
}
