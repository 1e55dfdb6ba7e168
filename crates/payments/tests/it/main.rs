//! Money that came in, on a real database, against documents that invoicing made.

mod methods;
mod payments;
mod world;
