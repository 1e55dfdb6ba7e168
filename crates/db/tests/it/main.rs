//! The wall, tried from inside.

mod catalogue;
mod facts;
mod pool;
mod schema;
mod walls;
