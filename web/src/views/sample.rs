//! One value of each view, as a call centre, its customers and its agent would see it. Figures agree across the pages:
//! the call of 13:41 costs 16.55 on the call page, in the wallet and in the portal.

use super::{
    book::TableCard,
    customers::{Customer, PaymentForm, PaymentPreview, WalletCard},
    desk::{Desk, DeskCall, DeskNow, DeskState, PhoneBox, TopList},
    door::{Message, SignIn},
    fields::Field,
    parts::{Fact, Facts, Happening, Heading, Item, Items, PagePath, Pager, Stat, Stats, SumRow, Sums, Timeline},
    portal::{Movement, Portal, PortalCall, PortalInvoice, PriceLine, PriceRow, Prices, ReceiptRow},
    sample_console::why,
    sample_money::{invoice_groups, tax},
    table::{Cell, Column, Empty, Table},
    ui::{Badge, Link, Moment, Tone},
};
use crate::{
    shell::{Brand, Organisation, Person, Section, Shell, Theme, Token},
    urls::{self, Audience},
};

pub fn stamp() -> Moment {
    Moment::new("20 Nov 2026, 13:41 CET", "2026-11-20T13:41:07+01:00")
}

pub fn token() -> Token {
    Token("0f3c".into())
}

fn person(name: &str, role: &str) -> Person {
    Person { name: name.into(), role: role.into() }
}

pub fn admin(title: &str, section: Section) -> Shell {
    let mut shell = Shell::outside(title, Brand::operator(), None).book(Audience::Tenant, section, 14);
    shell.csrf = "0f3c".into();
    shell.organisation = Organisation { name: "Nordlicht Beratung".into(), facts: "Europe/Berlin, EUR".into() };
    shell.person = person("Henrik Bauer", "Tenant admin");
    shell
}

pub fn operator(title: &str, section: Section) -> Shell {
    let mut shell = Shell::outside(title, Brand::operator(), None).book(Audience::Operator, section, 0);
    shell.csrf = "0f3c".into();
    shell.organisation = Organisation { name: "Ringtill".into(), facts: "Europe/Berlin, EUR".into() };
    shell.person = person("Ada Behrens", "Operator");
    shell
}

fn desk_shell(section: Section) -> Shell {
    let mut shell = Shell::outside("Desk", Brand::operator(), None).desk(section);
    shell.csrf = "0f3c".into();
    shell.person = person("Lena Vogt", "seat 07");
    shell
}

pub fn portal_shell(title: &str, section: Section) -> Shell {
    let brand = Brand { name: "Nordlicht Beratung".into(), is_operator: false, ..Brand::operator() };
    let mut shell = Shell::outside(title, brand, None).portal(section);
    shell.csrf = "0f3c".into();
    shell.person = person("Jonas Weber", "");
    shell
}

pub fn voxhouse() -> Brand {
    Brand {
        name: "Voxhouse".into(),
        promise: "Phone lines for people who give advice.".into(),
        welcome: "Welcome to your Voxhouse account".into(),
        support_email: "support@voxhouse.example".into(),
        logo_href: None,
        is_operator: false,
        theme_href: Some("/theme/voxhouse.css".into()),
    }
}

pub fn sign_in() -> SignIn {
    SignIn {
        shell: Shell::outside("Sign in", Brand::operator(), None),
        email: String::new(),
        error: None,
        next: String::new(),
    }
}

pub fn sign_in_voxhouse() -> SignIn {
    SignIn {
        shell: Shell::outside("Sign in", voxhouse(), Some(Theme::Light)),
        email: "office@kanzlei-ostertor.example".into(),
        error: Some("Email and password do not fit together. Nothing was changed.".into()),
        next: "/reseller/invoices".into(),
    }
}

pub fn not_found() -> Message {
    Message {
        shell: Shell::outside("Not found", Brand::operator(), None),
        icon: "search",
        title: "This page does not exist, or not for you".into(),
        text: "Check the address, or start again from the first page.".into(),
        request_id: Some("req_4Kx9".into()),
        action: Some(Link::new("To the first page", "/")),
    }
}

fn no_rows(icon: &'static str, title: &str) -> Empty {
    Empty::new(icon, title, "They show here.")
}

pub fn wallet_entries() -> Table {
    let columns =
        vec![Column::text("Entry"), Column::figures("Amount, EUR"), Column::figures("Balance, EUR").label("Balance")];
    let mut table = Table::new("Entries of the wallet", columns, no_rows("wallet", "No entries yet"));
    table.row(vec![
        Cell::name("Call, Tenancy law").to("/admin/calls/call_8Qw2hR5nVt0Y").sub("20 Nov 2026, 14:07 CET"),
        Cell::figure("−16.55"),
        Cell::figure("26.25"),
    ]);
    table.row(vec![
        Cell::name("Top-up").sub("18 Nov 2026, 10:12 CET, bank transfer"),
        Cell::figure("+30.00").class("ok"),
        Cell::figure("42.80"),
    ]);
    table
}

pub fn payment_form() -> PaymentForm {
    PaymentForm {
        action: Audience::Tenant.customer_payments("cus_7Hk2"),
        csrf: token(),
        title: "Add a top-up".into(),
        fields: vec![
            Field::figure("amount", "Amount", "30.00").before("€"),
            Field::choice(
                "kind",
                "From",
                "bank_transfer",
                [("bank_transfer", "Bank transfer"), ("cash", "Cash"), ("gift", "Gift")],
            ),
            Field::text("reference", "Reference", ""),
        ],
    }
}

pub fn invoices_table() -> Table {
    let columns = vec![
        Column::text("Invoice"),
        Column::text("Period").hidden(),
        Column::figures("Total, EUR"),
        Column::text("State"),
    ];
    let mut table = Table::new("Invoices", columns, no_rows("receipt", "No invoices yet"));
    table.row(vec![
        Cell::name("NL-2026-000418").to("/admin/invoices/inv_1").sub("2 Nov 2026"),
        Cell::text("1 to 31 October 2026"),
        Cell::figure("5,822.34"),
        Cell::badge("Partly paid", Tone::Soon),
    ]);
    table
}

pub fn customer() -> Customer {
    Customer {
        shell: admin("Jonas Weber", Section::Customers),
        heading: Heading::new("Jonas Weber has €26.25")
            .path(PagePath::under("Customers", "/admin/customers", "cus_7Hk2").id())
            .badge("Prepaid", Tone::Plain)
            .facts("customer since 1 Sep 2025"),
        facts: Facts(vec![
            Fact::new("Number", "+49 171 392 0014"),
            Fact::new("Email", "jonas.weber@post.example"),
            Fact::new("Currency", "EUR"),
            Fact::new("Zone", "Europe/Berlin"),
        ]),
        wallet: Some(WalletCard {
            figures: Stats(vec![
                Stat::new("Balance", "€26.25"),
                Stat::new("Reserved", "€0.00").note("no call now", Tone::Plain),
                Stat::new("Available", "€26.25"),
                Stat::new("Floor", "€0.00"),
            ]),
            entries: wallet_entries(),
        }),
        subscriptions: vec![super::sample_subscriptions::card()],
        subscribe_href: Some("/admin/customers/cus_7Hk2/subscriptions/new".into()),
        entitlements: super::sample_subscriptions::entitlements(),
        next_bill_href: Some("/admin/customers/cus_7Hk2/next-bill".into()),
        invoices: invoices_table(),
        payments: invoices_table(),
        calls: None,
        payment: Some(payment_form()),
        means: Some(super::sample_money::means()),
        close_href: None,
        timeline: Timeline { wide: true, steps: vec![Happening::new(stamp(), "Topped up 30.00 EUR.", Tone::Plain)] },
    }
}

pub fn payment() -> PaymentPreview {
    let mut shell = admin("Add a top-up", Section::Customers);
    shell.notice = Some(super::parts::Note::plain("Nothing is posted yet."));
    PaymentPreview {
        shell,
        heading: Heading::new("€30.00 for Jonas Weber").path(PagePath::under(
            "Jonas Weber",
            "/admin/customers/cus_7Hk2",
            "Top-up",
        )),
        form: PaymentForm {
            fields: vec![Field::figure("amount", "Amount", "-1").error(Some("Must be above zero."))],
            ..payment_form()
        },
        outcome: Some(Sums(vec![
            SumRow::plain("Balance now", "26.25"),
            SumRow::plain("Bank transfer", "+30.00"),
            SumRow::sum("Balance after", "€56.25"),
        ])),
        confirm: "Add €30.00".into(),
        idempotency_key: "pay_1".into(),
        back_href: "/admin/customers/cus_7Hk2".into(),
    }
}

pub fn desk() -> Desk {
    let columns = vec![Column::text("Call"), Column::figures("Time").label("Time"), Column::text("Topic").full()];
    let mut table = Table::new("Your calls today", columns, no_rows("phone", "No calls yet today"));
    table.row(vec![
        Cell::name("Anna Brandt").to("/agent/calls").sub("13:02 CET"),
        Cell::figure("0:08:12"),
        Cell::text("Tenancy law"),
    ]);
    Desk {
        shell: desk_shell(Section::Home),
        events_href: urls::DESK_EVENTS.into(),
        now: DeskNow {
            state: DeskState::Talking,
            reason: "break".into(),
            reasons: vec![("break", "Break"), ("training", "Training"), ("paperwork", "Paperwork")],
            line: "3 waiting, longest 0:42 · ready since 13:58 CET".into(),
            call: Some(DeskCall {
                caller: "Petra Lange".into(),
                caller_number: "+49 176 040 690 21".into(),
                topic: "Tenancy law".into(),
                is_ringing: false,
                elapsed_seconds: 761,
                timer: "12:41".into(),
                price: "€0.50".into(),
                price_note: "a minute, 0.25 after 20".into(),
                cost: "€11.35".into(),
                cost_note: "set-up 5.00 included".into(),
                cost_micros: 11_350_000,
                increment_micros: 50_000,
                increment_seconds: 6,
                symbol: "€".into(),
                left: Some("€1.15".into()),
                left_micros: 1_150_000,
                left_note: "ends 14:34:26 CET".into(),
                warning: Some((
                    "Balance ends in about 2 minutes.".into(),
                    "The caller heard the warning at 14:31 CET.".into(),
                )),
                end_href: "/agent/calls/call_1/end".into(),
            }),
            waiting: String::new(),
            at: Moment::new("14:32:08 CET", "2026-11-20T14:32:08+01:00"),
            csrf: token(),
        },
        dial: Some(String::new()),
        phone: PhoneBox {
            address: "sip:lena@nordlicht.ringtill.example".into(),
            user_name: "lena".into(),
            registrar: "127.0.0.1:5070".into(),
            status: Badge::new("Registered", Tone::Good),
            status_note: "Since 13:57 CET, from 192.0.2.14.".into(),
            password: Some("k7f2-qm9t-xw4c".into()),
        },
        today: Items(vec![
            Item::new("headset", Tone::Plain, "3 h 5 min at the seat").note("since 11:27 CET"),
            Item::new("phone", Tone::Plain, "12 calls, 94 minutes"),
        ]),
        calls: TableCard { title: "Your calls today".into(), all: Some(Link::new("All", urls::DESK_CALLS)), table },
    }
}

pub fn desk_waiting() -> Desk {
    let mut desk = desk();
    desk.now.state = DeskState::Ready;
    desk.now.call = None;
    desk.now.waiting = "The next call rings your phone. Waiting since 14:31 CET.".into();
    desk.phone.password = None;
    desk
}

pub fn desk_calls() -> TopList {
    TopList {
        shell: desk_shell(Section::Calls),
        heading: Heading::new("My calls").facts("Times are Europe/Berlin (UTC+1)"),
        cards: vec![desk().calls],
        pager: Some(Pager {
            shown: "1 call, newest first".into(),
            first: None,
            next: Some("/agent/calls?before=x".into()),
        }),
    }
}

fn price_lines() -> Vec<PriceLine> {
    vec![PriceLine {
        number: "+49 30 23125014".into(),
        label: "Advice line".into(),
        tel_href: "tel:+493023125014".into(),
        prices: vec![PriceRow {
            words: "€5.00 to start, €0.50 a minute, €0.25 after 20 minutes".into(),
            topics: vec![(1, "Family law".into()), (2, "Tenancy law".into())],
        }],
    }]
}

pub fn portal() -> Portal {
    let movement = |title: &str, note: &str, amount: &str, balance: &str| Movement {
        title: title.into(),
        note: note.into(),
        href: if amount.starts_with('−') { "/portal/calls/call_8Qw2hR5nVt0Y".into() } else { String::new() },
        amount: amount.into(),
        is_in: amount.starts_with('+'),
        balance: balance.into(),
    };
    Portal {
        shell: portal_shell("Your account", Section::Home),
        balance_label: "Your balance, Jonas".into(),
        balance: "€26.25".into(),
        balance_note: "Enough for about 65 minutes on Tenancy law.".into(),
        reserved_note: String::new(),
        top_up: Items(vec![
            Item::new("building-bank", Tone::Plain, "By bank transfer")
                .note("Name your customer number cus_7Hk2; it shows here when it arrives."),
        ]),
        lines: price_lines(),
        movements: vec![
            movement("Tenancy law", "20 Nov, 13:41 CET · 26 min 9 s", "−€16.55", "balance €26.25"),
            movement("Top-up", "18 Nov, 10:12 CET · bank transfer", "+€30.00", "balance €42.80"),
            movement("Tenancy law", "17 Nov, 18:05 CET · 9 min 20 s", "−€9.70", "balance €12.80"),
        ],
        movements_all: Link::new("All", urls::PORTAL_CALLS),
        receipts: vec![ReceiptRow {
            title: "October 2026".into(),
            href: urls::portal_invoice("inv_1"),
            note: "2 calls, €21.40".into(),
            pdf_href: Some(urls::portal_invoice_pdf("inv_1")),
        }],
        receipts_all: Link::new("All", urls::PORTAL_INVOICES),
    }
}

pub fn portal_prices() -> Prices {
    Prices {
        shell: portal_shell("Prices", Section::Prices),
        heading: Heading::new("What a call costs").facts("VAT is inside every price."),
        lines: price_lines(),
        note: "Nothing is charged while the menu plays.".into(),
    }
}

pub fn portal_call() -> PortalCall {
    PortalCall {
        shell: portal_shell("Call", Section::Calls),
        heading: Heading::new("€16.55 for 26 minutes on Tenancy law").path(PagePath::under(
            "Calls",
            urls::PORTAL_CALLS,
            "20 Nov 2026, 13:41 CET",
        )),
        facts: Facts(vec![
            Fact::new("Talk time", "0:26:09"),
            Fact::new("Billed time", "26.2 min"),
            Fact::new("Balance after", "€26.25"),
        ]),
        why: why(),
    }
}

pub fn portal_invoice() -> PortalInvoice {
    PortalInvoice {
        shell: portal_shell("Invoice", Section::Invoices),
        heading: Heading::new("€5,822.34 for October 2026")
            .path(PagePath::under("Receipts", urls::PORTAL_INVOICES, "NL-2026-000418"))
            .badge("Partly paid", Tone::Soon),
        currency: "EUR".into(),
        groups: invoice_groups(false),
        net: "4,899.43".into(),
        tax: tax(),
        due: "due 30 Nov 2026".into(),
        to_pay: Sums(vec![
            SumRow::plain("Net", "4,899.43"),
            SumRow::plain("VAT 19%", "922.91"),
            SumRow::sum("Total", "€5,822.34"),
        ]),
        payments: Items::default(),
        pdf_href: Some(urls::portal_invoice_pdf("inv_1")),
    }
}
