//! What pricing promises to everyone who calls it: the worked examples, and laws that hold for every input.

mod fine_print;
mod fine_print_of_calls;
mod laws_of_calls;
mod laws_of_lines;
mod laws_of_periods;
mod laws_of_prices;
mod rules;
mod staffing;
mod worked_examples;
