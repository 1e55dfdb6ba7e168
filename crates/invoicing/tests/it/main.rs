//! Invoicing, tried from outside.

mod print;
