//! The editor of a plan's next version.

mod read;
mod read_price;
mod write;

#[cfg(test)]
mod tests;
