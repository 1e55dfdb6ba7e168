//! Sentences of a document that the templates do not know, in the languages that they speak.

use ledger::ShareKind;
use money::{Decimal, Money};

/// Column of a language; one without words is written in English.
fn column(language: &str) -> usize {
    ["en", "de", "fr", "es", "pl"].iter().position(|known| *known == language).unwrap_or(0)
}

/// The language that documents of an organisation are written in.
pub(crate) fn spoken(language: &str) -> &'static str {
    ["en", "de", "fr", "es", "pl"][column(language)]
}

/// Unit of a meter or a measure; none for one that people would not read as a unit.
pub(crate) fn unit(language: &str, code: &str) -> Option<&'static str> {
    let words = match code {
        "calls" => ["calls", "Anrufe", "appels", "llamadas", "poł."],
        "minutes" => ["min", "Min.", "min", "min", "min"],
        "hours" => ["h", "Std.", "h", "h", "godz."],
        "active" | "assigned" | "peak" => ["seats", "Plätze", "postes", "puestos", "stan."],
        "daily" => ["seat-days", "Platztage", "jours-poste", "días-puesto", "stan.-dni"],
        "channel_peak" => ["channels", "Kanäle", "canaux", "canales", "kanały"],
        "months" => ["months", "Monate", "mois", "meses", "mies."],
        _ => return None,
    };
    Some(words[column(language)])
}

/// Title of a term discount's line.
pub(crate) fn term_discount(language: &str, percent: Decimal, term_months: u32) -> String {
    let (percent, term) = (percent.normalize(), months(language, term_months));
    match column(language) {
        1 => format!("Laufzeitrabatt {percent} %, {term}"),
        2 => format!("Remise d’engagement {percent} %, {term}"),
        3 => format!("Descuento por permanencia {percent} %, {term}"),
        4 => format!("Rabat za okres umowy {percent}%, {term}"),
        _ => format!("Term discount {percent}%, {term}"),
    }
}

/// Title of a commitment's line.
pub(crate) fn commitment(language: &str, minimum: Money) -> String {
    let minimum = minimum.format_plain();
    match column(language) {
        1 => format!("Differenz zum vereinbarten Mindestumsatz von {minimum}"),
        2 => format!("Complément au minimum convenu de {minimum}"),
        3 => format!("Diferencia hasta el mínimo acordado de {minimum}"),
        4 => format!("Dopłata do uzgodnionego minimum {minimum}"),
        _ => format!("Difference to the agreed minimum of {minimum}"),
    }
}

/// Detail of a line with included units.
pub(crate) fn included(language: &str, used: Decimal, included: Decimal) -> String {
    let (used, included) = (used.normalize(), included.normalize());
    match column(language) {
        1 => format!("{used} genutzt, {included} enthalten"),
        2 => format!("{used} utilisés, {included} inclus"),
        3 => format!("{used} usados, {included} incluidos"),
        4 => format!("wykorzystano {used}, w cenie {included}"),
        _ => format!("{used} used, {included} included"),
    }
}

/// Detail of a line for some days of its period.
pub(crate) fn days(language: &str, days: u32, of_days: u32) -> String {
    match column(language) {
        1 => format!("{days} von {of_days} Tagen"),
        2 => format!("{days} jours sur {of_days}"),
        3 => format!("{days} de {of_days} días"),
        4 => format!("{days} z {of_days} dni"),
        _ => format!("{days} of {of_days} days"),
    }
}

/// Detail of a line of which at least so many units are priced.
pub(crate) fn at_least(language: &str, used: Decimal, minimum: Decimal) -> String {
    let (used, minimum) = (used.normalize(), minimum.normalize());
    match column(language) {
        1 => format!("{used} genutzt, mindestens {minimum}"),
        2 => format!("{used} utilisés, {minimum} au minimum"),
        3 => format!("{used} usados, mínimo {minimum}"),
        4 => format!("wykorzystano {used}, minimum {minimum}"),
        _ => format!("{used} used, at least {minimum}"),
    }
}

/// Title of the line that keeps a period within its cap.
pub(crate) fn fee_cap(language: &str, cap: Money) -> String {
    let cap = cap.format_plain();
    match column(language) {
        1 => format!("Höchstbetrag von {cap}"),
        2 => format!("Plafond de {cap}"),
        3 => format!("Importe máximo de {cap}"),
        4 => format!("Kwota maksymalna {cap}"),
        _ => format!("Fee cap of {cap}"),
    }
}

/// Title of a loyalty discount's line; without a percentage where it is not the same for all months.
pub(crate) fn loyalty(language: &str, percent: Option<Decimal>) -> String {
    let title =
        ["Loyalty discount", "Treuerabatt", "Remise de fidélité", "Descuento por fidelidad", "Rabat lojalnościowy"];
    let title = title[column(language)];
    match percent.map(|percent| percent.normalize()) {
        Some(percent) if matches!(column(language), 1..=3) => format!("{title} {percent} %"),
        Some(percent) => format!("{title} {percent}%"),
        None => title.to_owned(),
    }
}

/// Title of a coupon's line.
pub(crate) fn coupon(language: &str, name: &str) -> String {
    let title = ["Coupon", "Gutschein", "Bon de réduction", "Cupón", "Kupon"];
    format!("{} {name}", title[column(language)])
}

/// Detail of a credit: what of it is unused.
pub(crate) fn unused(language: &str, what: &str) -> String {
    let title = ["unused", "nicht genutzt", "non utilisé", "no utilizado", "niewykorzystane"];
    format!("{}: {what}", title[column(language)])
}

/// Title of the part of a discount that a credit gives back.
pub(crate) fn on_credit(language: &str, title: &str) -> String {
    match column(language) {
        1 => format!("{title}, auf die Gutschrift"),
        2 => format!("{title}, sur le crédit"),
        3 => format!("{title}, sobre el abono"),
        4 => format!("{title}, od zwrotu"),
        _ => format!("{title}, on the credit"),
    }
}

/// Detail of usage that costs nothing in a trial.
pub(crate) fn free_in_trial(language: &str, off: Money) -> String {
    let off = off.format_plain();
    match column(language) {
        1 => format!("{off} frei in der Testzeit"),
        2 => format!("{off} offerts pendant l’essai"),
        3 => format!("{off} gratis en la prueba"),
        4 => format!("{off} za darmo w okresie próbnym"),
        _ => format!("{off} free in the trial"),
    }
}

/// Detail of a line of calls.
pub(crate) fn minutes_talked(language: &str, minutes: Decimal) -> String {
    format!("{} {}", minutes.round_dp(1).normalize(), unit(language, "minutes").unwrap_or("min"))
}

/// Detail of a difference for an earlier period.
pub(crate) fn late(language: &str) -> &'static str {
    [
        "received after the invoice of its period",
        "nach der Rechnung des Zeitraums eingegangen",
        "reçu après la facture de la période",
        "recibido después de la factura del período",
        "wpłynęło po fakturze za ten okres",
    ][column(language)]
}

/// Where the price of a unit would be, on a line of calls that have a price each.
pub(crate) fn by_call(language: &str) -> &'static str {
    ["by call", "je Anruf", "par appel", "por llamada", "za poł."][column(language)]
}

/// Title of a line of calls whose topic is not known any more.
pub(crate) fn calls(language: &str) -> &'static str {
    ["Calls", "Anrufe", "Appels", "Llamadas", "Połączenia"][column(language)]
}

/// How to pay, above the bank details.
pub(crate) fn please_pay(language: &str, days: i64) -> String {
    match column(language) {
        1 => format!("Bitte überweisen Sie innerhalb von {days} Tagen unter Angabe des Verwendungszwecks."),
        2 => format!("Merci de virer le montant sous {days} jours en indiquant la référence."),
        3 => format!("Transfiera el importe en {days} días indicando el concepto."),
        4 => format!("Prosimy o przelew w ciągu {days} dni z podaniem tytułu."),
        _ => format!("Please transfer within {days} days, quoting the reference."),
    }
}

/// What has become of a credited amount.
pub(crate) fn set_off(language: &str, number: &str) -> String {
    match column(language) {
        1 => format!("Der Betrag wird mit der Rechnung {number} verrechnet."),
        2 => format!("Le montant est imputé sur la facture {number}."),
        3 => format!("El importe se compensa con la factura {number}."),
        4 => format!("Kwota zostanie rozliczona z fakturą {number}."),
        _ => format!("The amount is set off against invoice {number}."),
    }
}

/// "12 months", for a term.
pub(crate) fn months(language: &str, months: u32) -> String {
    match (column(language), months) {
        (1, 1) => "1 Monat".to_owned(),
        (1, _) => format!("{months} Monate"),
        (2, _) => format!("{months} mois"),
        (3, 1) => "1 mes".to_owned(),
        (3, _) => format!("{months} meses"),
        (4, _) => format!("{months} mies."),
        (_, 1) => "1 month".to_owned(),
        _ => format!("{months} months"),
    }
}

/// Text of a tier: up to where it goes; the last one is open.
pub(crate) fn tier(language: &str, up_to: Option<Decimal>) -> String {
    let Some(up_to) = up_to else {
        return ["above", "darüber", "au-delà", "por encima", "powyżej"][column(language)].to_owned();
    };
    let words = ["up to", "bis", "jusqu’à", "hasta", "do"][column(language)];
    format!("{words} {}", grouped(language, up_to))
}

/// A tier whose price holds for all of the quantity.
pub(crate) fn volume_tier(language: &str, up_to: Option<Decimal>) -> String {
    let Some(up_to) = up_to else {
        let words = [
            "each, if more in all",
            "je, wenn insgesamt mehr",
            "chacun, si plus au total",
            "cada uno, si son más en total",
            "za każdy, jeśli łącznie więcej",
        ];
        return words[column(language)].to_owned();
    };
    let words = [
        "each, if in all up to",
        "je, wenn insgesamt bis",
        "chacun, si au total jusqu’à",
        "cada uno, si en total hasta",
        "za każdy, jeśli łącznie do",
    ];
    format!("{} {}", words[column(language)], grouped(language, up_to))
}

/// A number with its thousands apart, as the language writes it.
pub(crate) fn grouped(language: &str, number: Decimal) -> String {
    let (point, thousands) = [(".", ","), (",", "."), (",", "\u{202f}"), (",", "."), (",", "\u{a0}")][column(language)];
    let text = number.normalize().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push_str(thousands);
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}{point}{fraction}") }
}

/// What an adjustment of a statement adjusts, and of which month: "Reversals, 11/2026".
pub(crate) fn adjustment(language: &str, kind: ShareKind, year: i32, month: u32) -> String {
    let words = match kind {
        ShareKind::Call => {
            ["Late calls", "Nachgemeldete Anrufe", "Appels tardifs", "Llamadas tardías", "Spóźnione połączenia"]
        }
        ShareKind::Correction => ["Corrections", "Korrekturen", "Corrections", "Correcciones", "Korekty"],
        ShareKind::Reversal => ["Reversals", "Rückbuchungen", "Annulations", "Anulaciones", "Anulowania"],
    };
    format!("{}, {month:02}/{year}", words[column(language)])
}

/// What carriers had of what was collected.
pub(crate) fn carrier_cost(language: &str, cost: Money) -> String {
    let words = ["carrier cost", "Netzkosten", "coût opérateur", "coste del operador", "koszt operatora"];
    format!("{} {}", words[column(language)], cost.format_plain())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_of_one_month_is_one_month_in_every_language() {
        for (language, one, twelve) in [
            ("en", "Term discount 15%, 1 month", "Term discount 15%, 12 months"),
            ("de", "Laufzeitrabatt 15 %, 1 Monat", "Laufzeitrabatt 15 %, 12 Monate"),
            ("fr", "Remise d’engagement 15 %, 1 mois", "Remise d’engagement 15 %, 12 mois"),
            ("es", "Descuento por permanencia 15 %, 1 mes", "Descuento por permanencia 15 %, 12 meses"),
            ("pl", "Rabat za okres umowy 15%, 1 mies.", "Rabat za okres umowy 15%, 12 mies."),
        ] {
            assert_eq!(term_discount(language, 15.into(), 1), one);
            assert_eq!(term_discount(language, 15.into(), 12), twelve);
        }
    }
}
