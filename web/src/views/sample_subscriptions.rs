//! One value of each view about subscriptions: a card, a change with what it costs, the next bill, the portal's plan.

use super::{
    fields::Field,
    form::{Choice, Choices, Fields, FormPage, FormPart, Kept},
    parts::{Fact, Facts, Heading, PagePath, SumRow, Sums},
    sample::{admin, portal_shell, stamp, token},
    subscriptions::{BillPreview, Decide, Move, NextBill, Outcome, PortalPlan, Progress, SubscriptionCard},
    table::{Cell, Column, Empty, Table},
    ui::{Badge, Link, Tone},
};
use crate::shell::Section;

pub fn entitlements() -> Table {
    let columns = vec![
        Column::text("May use"),
        Column::figures("Limit").label("Limit"),
        Column::figures("Used").label("Used"),
        Column::figures("Remaining").label("Remaining"),
    ];
    let mut entitlements = Table::new("What it may use", columns, Empty::new("key", "Nothing", "")).dense();
    entitlements.row(vec![
        Cell::name("Recording storage"),
        Cell::figure("100"),
        Cell::figure("38"),
        Cell::figure("62"),
    ]);
    entitlements
}

pub fn card() -> SubscriptionCard {
    SubscriptionCard {
        id: "sub_3Kp".into(),
        plan: Link::new("Agents", "/admin/plans/plan_1"),
        sub: "version 2, with CRM connector".into(),
        state: Badge::new("Active", Tone::Good),
        facts: Facts(vec![
            Fact::new("Term", "12 months").quiet("15% off what recurs"),
            Fact::new("Renews", "1 Sep 2027"),
        ]),
        loyalty: vec![Progress { text: "3 of 12 months".into(), note: "then 5% off what recurs".into(), done: 250 }],
        moves: vec![Move {
            at: stamp(),
            title: "8 seats".into(),
            note: "asked by Henrik Bauer".into(),
            state: Badge::new("Planned", Tone::On),
            undo_href: Some("/admin/subscriptions/sub_3Kp/changes/chg_1/undo".into()),
        }],
        actions: vec![Link::new("Change", "/admin/subscriptions/sub_3Kp/change")],
        csrf: token(),
    }
}

fn bill() -> BillPreview {
    let columns = vec![Column::text("Line"), Column::figures("Quantity"), Column::figures("Net, EUR")];
    let mut lines = Table::new("Lines", columns, Empty::new("receipt", "Nothing to bill", "")).dense();
    lines.row(vec![Cell::name("Agents").sub("20 to 30 November 2026"), Cell::figure("3"), Cell::figure("53.90")]);
    BillPreview {
        title: "On the next invoice".into(),
        sub: "1 Dec 2026".into(),
        lines,
        sums: Sums(vec![
            SumRow::plain("Net", "53.90"),
            SumRow::plain("VAT 19%", "10.24"),
            SumRow::sum("Total", "64.14"),
        ]),
        then: Some(("The month after".into(), Sums(vec![SumRow::sum("Total", "174.93")]))),
        remark: "Usage until now; what comes is added.".into(),
    }
}

pub fn decide() -> Decide {
    let path = PagePath::under("Brandt Immobilien KG", "/admin/customers/cus_7Hk2", "Change Agents");
    let whens = vec![Choice::new("now", "Now").note("Prorated by the day"), Choice::new("period_end", "On 1 Dec 2026")];
    let fields = Fields::new()
        .half(Field::figure("seats", "Seats", "8").hint("5 seats now").required())
        .choices(Choices::one("when", "Takes effect", "now", whens));
    let columns = vec![Column::text("What"), Column::text("Now"), Column::text("Then")];
    let mut changes = Table::new("What changes", columns, Empty::new("repeat", "Nothing changes", "")).dense();
    changes.row(vec![Cell::text("Seats"), Cell::text("5 seats"), Cell::name("8 seats")]);
    Decide {
        shell: admin("Change Agents", Section::Customers),
        heading: Heading::new("Change Agents of Brandt Immobilien KG").path(path).badge("Active", Tone::Good),
        tabs: vec![
            ("Plan".into(), "/admin/subscriptions/sub_3Kp/change?do=plan".into(), false),
            ("Seats".into(), "/admin/subscriptions/sub_3Kp/change?do=seats".into(), true),
        ],
        note: None,
        action: "/admin/subscriptions/sub_3Kp/change".into(),
        kept: Kept(vec![("do".into(), "seats".into()), ("sent".into(), "yes".into())]),
        parts: vec![FormPart { title: "Seats", text: "Charged by the day.", fields }],
        outcome: Some(Outcome {
            changes: Some(changes),
            bill: Some(bill()),
            action: "/admin/subscriptions/sub_3Kp/changes".into(),
            kept: Kept(vec![("seats".into(), "8".into())]),
            confirm: "8 seats, from now on".into(),
            is_danger: false,
            remark: "It can be undone until it is billed.".into(),
        }),
        back_href: "/admin/customers/cus_7Hk2".into(),
    }
}

pub fn form_page() -> FormPage {
    let choices = vec![Choice::new("postpaid", "By invoice"), Choice::new("prepaid", "From a wallet")];
    let fields = Fields::new()
        .half(Field::text("name", "Name", "Brandt").error(Some("Must be free.")))
        .choices(Choices::one("billing", "Pays", "postpaid", choices));
    FormPage {
        shell: admin("A new customer", Section::Customers),
        heading: Heading::new("A new customer").path(PagePath::under("Customers", "/admin/customers", "New")),
        note: None,
        action: "/admin/customers".into(),
        parts: vec![FormPart { title: "Who it is", text: "As it stands on invoices.", fields }],
        button: "Create the customer".into(),
        remark: String::new(),
        back_href: "/admin/customers".into(),
    }
}

pub fn next_bill() -> NextBill {
    NextBill {
        shell: admin("Next invoice", Section::Customers),
        heading: Heading::new("€64.14 so far for Brandt Immobilien KG"),
        facts: Facts(vec![Fact::new("Period", "1 to 30 November 2026")]),
        bill: bill(),
    }
}

pub fn portal_plan() -> PortalPlan {
    let card = SubscriptionCard { actions: Vec::new(), moves: Vec::new(), ..card() };
    PortalPlan {
        shell: portal_shell("Your plan", Section::Plans),
        heading: Heading::new("You have Agents"),
        cards: vec![SubscriptionCard { plan: Link::new("Agents", ""), ..card }],
        entitlements: entitlements(),
        bill: Some(bill()),
    }
}
