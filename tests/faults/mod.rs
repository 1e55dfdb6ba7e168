//! What is left when the power is cut: calls are closed once, charged once, and nothing stays held.

mod power_cut;
