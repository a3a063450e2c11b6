//! Stories with the real binary: a server, people, scripts and signals, as a user would have them.
//!
//! [`world`] starts and ends processes; every other file is about one thing.

mod account;
mod agent;
mod backup;
mod bad_input;
mod chat;
mod contacts;
mod devices;
mod door;
mod export;
mod group;
mod group_invite;
mod help;
mod kept;
mod picture;
mod presence;
mod said;
mod svg;
mod talk;
mod terminal;
mod web;
mod world;
