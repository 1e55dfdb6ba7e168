//! The roof over a real database: who gets in, what each may see, and what is refused.

mod api;
mod api_door;
mod api_keys;
mod api_nouns;
mod api_offers;
mod book;
mod browser;
mod customers;
mod desk;
mod door;
mod entitled;
mod events;
mod forgery;
mod hosts;
mod letters;
mod life;
mod meters;
mod plans;
mod portal;
mod postbox;
mod public;
mod quotes;
mod streams;
mod suspense;
mod walls;
mod world;
