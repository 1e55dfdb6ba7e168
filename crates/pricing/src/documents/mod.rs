//! The grammar of `ringtill price`: JSON lines in, one JSON line out for each, nothing around it.
//!
//! Every line is `{"id": any, "op": name, ...}`. A bad line gives `{"id":..,"error":{"code","message","pointer","found"}}` and
//! the next line goes on; `found` is the offending value, where there is one. The command line, the API and the plan editor all
//! come through here.

mod amounts;
mod calendar;
mod calls;
mod forecast;

use std::io::{self, BufRead, Write};

use serde_json::{Map, Value, json};

use crate::json::{Fields, Node};
use crate::{DocumentError, Explanation, PricingError};

/// The fields of an output line, and how they came about.
struct Answer {
    fields: Vec<(&'static str, Value)>,
    explanation: Explanation,
}

/// Prices every line of `reader` into `writer`, in order; `true` when no line failed.
pub fn run(mut reader: impl BufRead, mut writer: impl Write) -> io::Result<bool> {
    let mut all_good = true;
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let (answer, good) = run_line(text.trim_end_matches(['\n', '\r']));
        writeln!(writer, "{answer}")?;
        all_good &= good;
        line.clear();
    }
    writer.flush()?;
    Ok(all_good)
}

/// Prices one line; `false` when it failed. Never panics, whatever the line.
pub fn run_line(line: &str) -> (String, bool) {
    let document: Value = match serde_json::from_str(line) {
        Ok(document) => document,
        Err(error) => return (failure(&Value::Null, &PricingError::MustBeJson(error.to_string()).at("")), false),
    };
    let id = document.get("id").cloned().unwrap_or(Value::Null);
    let once = crate::must_name_each_field_once(line.as_bytes());
    match once.and_then(|()| answer(&Node::root(&document))).map_err(|error| error.found_in(&document)) {
        Ok(answer) => (success(id, answer), true),
        Err(error) => (failure(&id, &error), false),
    }
}

fn answer(document: &Node<'_>) -> Result<Answer, DocumentError> {
    let mut fields = document.object()?;
    fields.optional("id");
    let operation = fields.required("op")?;
    let price: fn(&mut Fields<'_>) -> Result<Answer, DocumentError> = match operation.text()? {
        "price" => amounts::price,
        "prorate" => amounts::prorate,
        "change" => amounts::change,
        "allocate" => amounts::allocate,
        "discount" => amounts::discount,
        "tax" => amounts::tax,
        "commitment" => amounts::commitment,
        "call" => calls::call,
        "talk_time" => calls::talk_time,
        "periods" => calendar::periods,
        "days" => calendar::days,
        "route" => forecast::route,
        "erlang_c" => forecast::erlang_c,
        "erlang_b" => forecast::erlang_b,
        unknown => {
            return Err(operation.refuse(PricingError::UnknownOperation(unknown.chars().take(40).collect())));
        }
    };
    let answer = price(&mut fields)?;
    fields.finish()?;
    Ok(answer)
}

fn success(id: Value, answer: Answer) -> String {
    let mut line = Map::new();
    line.insert("id".to_owned(), id);
    line.extend(answer.fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    line.insert("explain".to_owned(), answer.explanation.lines().into());
    Value::Object(line).to_string()
}

fn failure(id: &Value, error: &DocumentError) -> String {
    let (code, message) = (error.rule.code(), error.rule.to_string());
    let mut refusal = json!({"code": code, "message": message, "pointer": error.pointer});
    if !error.found.is_empty() {
        refusal["found"] = error.found.as_str().into();
    }
    json!({"id": id, "error": refusal}).to_string()
}
