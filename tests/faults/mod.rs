//! What is left when the power is cut: calls are closed once, charged once, and nothing stays held; events that were
//! acknowledged are there, each once.

mod flood;
mod power_cut;
