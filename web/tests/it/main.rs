//! The roof over a real database: who gets in, what each may see, and what is refused.

mod api;
mod api_door;
mod api_keys;
mod api_nouns;
mod book;
mod browser;
mod customers;
mod desk;
mod door;
mod entitled;
mod forgery;
mod hosts;
mod life;
mod phones;
mod plans;
mod portal;
mod public;
mod settings;
mod streams;
mod walls;
mod world;
