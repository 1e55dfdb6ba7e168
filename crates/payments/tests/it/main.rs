//! Money that came in, on a real database, against documents that invoicing made.

mod payments;
mod world;
