//! The wall, tried from inside.

mod catalogue;
mod facts;
mod migrations;
mod pool;
mod schema;
mod walls;
