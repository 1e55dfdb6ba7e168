//! What pricing promises to everyone who calls it: the worked examples, and laws that hold for every input.

mod laws;
mod worked_examples;
