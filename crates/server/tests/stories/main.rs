//! Stories at the server's network face: the real router, a real socket, a real webhook.

#[path = "../common/mod.rs"]
mod common;

mod account;
mod backup;
mod gateway;
mod keys;
mod link;
mod lock;
mod token;
