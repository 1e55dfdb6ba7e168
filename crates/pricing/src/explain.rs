//! A derivation as data: what was multiplied by what, in the order of the sum.

use money::Decimal;
use serde::{Deserialize, Serialize};

/// How an amount came about. Stored with the charge, shown to whoever asks "why this much?".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// The terms of the sum, then its total.
    pub steps: Vec<Step>,
}

/// One term of a sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it is: `Connection`, `First 20 minutes`, `Total`.
    pub title: String,
    /// What decided it, when something did: the band, the increment, the tier.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The calculation as a person would write it: `20.0 × 0.50`. Empty when nothing was calculated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub calculation: String,
    /// Its result in main units, to ten decimals.
    pub amount: Decimal,
}

impl Step {
    /// A step without detail or calculation.
    pub fn new(title: impl Into<String>, amount: Decimal) -> Step {
        Step { title: title.into(), detail: String::new(), calculation: String::new(), amount }
    }

    /// The same step with its calculation.
    pub fn calculated(mut self, calculation: impl Into<String>) -> Step {
        self.calculation = calculation.into();
        self
    }

    /// The same step with what decided it.
    pub fn because(mut self, detail: impl Into<String>) -> Step {
        self.detail = detail.into();
        self
    }
}

impl Explanation {
    /// One short line per step: `First 20 minutes: 20.0 × 0.50 = 10`.
    pub fn lines(&self) -> Vec<String> {
        self.steps.iter().map(line).collect()
    }
}

fn line(step: &Step) -> String {
    let detail = if step.detail.is_empty() { String::new() } else { format!(" ({})", step.detail) };
    let calculation = if step.calculation.is_empty() { String::new() } else { format!("{} = ", step.calculation) };
    format!("{}{detail}: {calculation}{}", step.title, step.amount)
}

/// Collects steps, or nothing: pricing a million lines should not write a million sentences.
pub(crate) enum Workings {
    /// Nobody asked.
    Silent,
    /// Kept for an explanation.
    Kept(Vec<Step>),
}

impl Workings {
    pub(crate) fn kept() -> Workings {
        Workings::Kept(Vec::new())
    }

    pub(crate) fn note(&mut self, step: impl FnOnce() -> Step) {
        if let Workings::Kept(steps) = self {
            steps.push(step());
        }
    }

    pub(crate) fn into_explanation(self) -> Explanation {
        match self {
            Workings::Silent => Explanation::default(),
            Workings::Kept(steps) => Explanation { steps },
        }
    }
}
