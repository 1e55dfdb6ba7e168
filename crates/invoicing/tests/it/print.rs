//! What is printed: sums that agree, one result for one content, no surprise in a name.

use invoicing::print::{Paper, PaperKind, PrintError, Renderer, typst_renderer};
use rust_decimal::Decimal;
use std::io::Write;
use std::process::{Command, Stdio};

const PAPERS: [(&str, &str); 6] = [
    ("invoice-de", include_str!("../papers/invoice-de.json")),
    ("invoice-pl", include_str!("../papers/invoice-pl.json")),
    ("invoice-en-kwd-paid", include_str!("../papers/invoice-en-kwd-paid.json")),
    ("credit-note-de", include_str!("../papers/credit-note-de.json")),
    ("settlement-en", include_str!("../papers/settlement-en.json")),
    ("quote-pl", include_str!("../papers/quote-pl.json")),
];

fn paper(name: &str) -> Paper {
    let (_, text) = PAPERS.iter().find(|(known, _)| *known == name).unwrap();
    let mut paper: Paper = serde_json::from_str(text).unwrap();
    paper.brand.logo = Some("brand/northline.svg".into());
    paper.brand.logo_svg = Some(include_str!("../papers/northline.svg").into());
    paper
}

/// Runs a tool over bytes and returns what it says; `None` where the tool is not installed.
fn tool(name: &str, arguments: &[&str], bytes: &[u8]) -> Option<(bool, String)> {
    let mut file = std::env::temp_dir();
    file.push(format!("{}.pdf", uuid::Uuid::now_v7()));
    std::fs::File::create(&file).unwrap().write_all(bytes).unwrap();
    let arguments =
        arguments.iter().map(|argument| if *argument == "FILE" { file.to_str().unwrap() } else { argument });
    let output = Command::new(name).args(arguments).stderr(Stdio::piped()).output().ok();
    std::fs::remove_file(&file).unwrap();
    let output = output?;
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn the_typed_contract_loses_nothing_of_a_document() {
    for (name, text) in PAPERS {
        let given: serde_json::Value = serde_json::from_str(text).unwrap();
        let paper: Paper = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&paper).unwrap(), given, "{name}");
    }
}

#[test]
fn the_same_paper_gives_the_same_bytes_and_another_paper_others() {
    for (name, _) in PAPERS {
        let paper = paper(name);
        let first = typst_renderer().render(&paper).unwrap();
        let second = typst_renderer().render(&paper).unwrap();
        assert!(first.bytes == second.bytes, "{name}");
        assert!(first.bytes.starts_with(b"%PDF-1.7"), "{name}");
        assert!(first.replaced.is_empty(), "{name}: {:?}", first.replaced);
        let mut other = paper.clone();
        other.number.push_str("-2");
        assert!(typst_renderer().render(&other).unwrap().bytes != first.bytes, "{name}");
    }
}

#[test]
fn a_printed_file_is_sound_and_its_text_can_be_read() {
    for (name, words) in [
        (
            "invoice-de",
            vec![
                "Rechnung NL-2026-004217",
                "7.461,00 €",
                "Alpenblick Reisen GmbH & Co. KG",
                "DE89 3704 0044 0532 0130 00",
            ],
        ),
        ("invoice-pl", vec!["Faktura", "PLN"]),
        ("credit-note-de", vec!["Rechnungskorrektur", "154,70"]),
        ("quote-pl", vec!["Oferta OF/2026/118", "6 902,76 zł", "Jednorazowo na start", "3 198,00 zł"]),
        ("settlement-en", vec!["Self-billed settlement statement", "3,067.68"]),
    ] {
        let bytes = typst_renderer().render(&paper(name)).unwrap().bytes;
        if let Some((sound, said)) = tool("qpdf", &["--check", "FILE"], &bytes) {
            assert!(sound, "{name}: {said}");
        }
        let text = text_of(&bytes);
        for word in words {
            assert!(text.contains(word), "{name}: {word} is not in\n{text}");
        }
    }
}

/// What can be read in a printed file.
fn text_of(bytes: &[u8]) -> String {
    let said = tool("pdftotext", &["-layout", "FILE", "-"], bytes);
    let (_, text) = said.expect("pdftotext reads what was printed: install poppler-utils");
    text.replace('\u{a0}', " ")
}

/// The pages of a paper as text.
fn pages_of(paper: &Paper) -> Vec<String> {
    let bytes = typst_renderer().render(paper).unwrap().bytes;
    text_of(&bytes).split('\u{c}').map(str::to_owned).collect()
}

#[test]
fn what_is_to_pay_and_how_stand_on_one_page_however_long_the_list_is() {
    let mut long = paper("invoice-de");
    let line = print_nothing(&long);
    for lines in 0..12 {
        let pages = pages_of(&long);
        let page_of = |words: &str| pages.iter().position(|page| page.contains(words)).expect(words);
        assert_eq!(page_of("Steuerübersicht"), page_of("DE89 3704 0044"), "with {lines} lines more");
        long.groups[0].lines.push(line.clone());
    }
}

/// A line that changes no sum.
fn print_nothing(paper: &Paper) -> invoicing::print::Line {
    invoicing::print::Line { amount: Decimal::ZERO, ..paper.groups[0].lines[0].clone() }
}

#[test]
fn what_is_paid_has_no_due_date_and_nobody_is_sent_online_to_pay() {
    let paid = pages_of(&paper("invoice-en-kwd-paid"));
    assert!(!paid.concat().contains("Due date"), "{paid:?}");
    let open = pages_of(&paper("invoice-de"));
    let open = open.concat();
    assert!(open.contains("Fällig am") && open.contains("Online ansehen") && !open.contains("bezahlen"), "{open}");
}

#[test]
fn a_line_of_calls_says_where_its_prices_are() {
    let mut calls = paper("invoice-de");
    let line = &mut calls.groups[0].lines[0];
    (line.price, line.priced) = (None, Some("je Anruf".into()));
    let pages = pages_of(&calls);
    assert!(pages.concat().contains("je Anruf"), "{pages:?}");
}

#[test]
fn a_paper_whose_sums_disagree_is_refused_by_the_sum_that_is_wrong() {
    type Break = fn(&mut Paper);
    type Expected = fn(&PrintError) -> bool;
    let cent = Decimal::new(1, 2);
    assert_eq!(cent.to_string(), "0.01");
    let cases: [(&str, Break, Expected); 6] = [
        (
            "line",
            |p| p.groups[0].lines[0].amount += Decimal::new(1, 2),
            |e| matches!(e, PrintError::LinesMustSumToNet { .. }),
        ),
        ("base", |p| p.taxes[0].base += Decimal::new(1, 2), |e| matches!(e, PrintError::BasesMustSumToNet { .. })),
        ("tax", |p| p.taxes[0].tax += Decimal::new(1, 2), |e| matches!(e, PrintError::TaxesMustSumToTax { .. })),
        ("gross", |p| p.totals.gross += Decimal::new(1, 2), |e| matches!(e, PrintError::NetAndTaxMustBeGross { .. })),
        ("due", |p| p.settled.clear(), |e| matches!(e, PrintError::SettledMustLeaveDue { .. })),
        ("language", |p| p.lang = "it".into(), |e| matches!(e, PrintError::LanguageMustBeKnown(_))),
    ];
    for (name, make_wrong, expected) in cases {
        let mut wrong = paper("invoice-de");
        make_wrong(&mut wrong);
        let refusal = typst_renderer().render(&wrong).err().unwrap_or_else(|| panic!("{name} was printed"));
        assert!(expected(&refusal), "{name}: {refusal}");
    }
}

#[test]
fn what_a_quote_charges_once_sums_by_itself() {
    let mut wrong = paper("quote-pl");
    let PaperKind::Quote(quote) = &mut wrong.kind else { panic!("a quote") };
    // 2,600.00 + 598.00 = 3,198.00
    quote.once.as_mut().unwrap().total = Decimal::new(319_801, 2);
    let refusal = typst_renderer().render(&wrong).err().expect("a wrong sum is not printed");
    assert!(matches!(refusal, PrintError::OnceMustSum { .. }), "{refusal}");
}

#[test]
fn an_emoji_in_a_name_does_not_stop_an_invoice() {
    let mut odd = paper("invoice-de");
    odd.recipient.name = "Sushi 川 🍣 GmbH".into();
    odd.brand.logo_svg = None;
    let printed = typst_renderer().render(&odd).unwrap();
    assert_eq!(printed.replaced.iter().collect::<String>(), "川🍣");
    let PaperKind::Invoice { due, .. } = &odd.kind else { panic!("an invoice") };
    assert_eq!(due.to_string(), "2026-12-15");
}

#[test]
fn a_report_is_set_as_its_words_stand() {
    use invoicing::print::{Report, ReportRow, Section};
    let section = Section {
        title: "Suggested rates".into(),
        heads: ["Model", "Rate"].map(Into::into).to_vec(),
        rows: vec![ReportRow::new(["Per event", "€1.35 each"]), ReportRow::new(["A month", "€5,772.00"]).sum()],
        ..Section::default()
    };
    let bare =
        Section { title: "Cost".into(), rows: vec![ReportRow::new(["Wages", "€4,100.00"])], ..Section::default() };
    let report = Report {
        lang: "en".into(),
        paper: "a4".into(),
        currency: "EUR".into(),
        title: "20 agents at the busiest hour".into(),
        text: vec!["Tax excluded.".into()],
        sections: vec![section, bare],
        issued: "2026-11-25".parse().unwrap(),
        brand: paper("invoice-de").brand,
        number: "estimate".into(),
    };
    let bytes = typst_renderer().render_report(&report).unwrap().bytes;
    assert!(bytes == typst_renderer().render_report(&report).unwrap().bytes, "the same words, the same bytes");
    let text = text_of(&bytes);
    for words in ["20 agents at the busiest hour", "25 November 2026", "Per event", "€5,772.00", "Cost", "Wages"] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
}
