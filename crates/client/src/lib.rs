//! The Tidings client core: one state machine without IO.
//!
//! ```text
//! Client::handle(Input, now_ms) -> Vec<Output>
//! ```
//!
//! **The law of its driver**: hand over one input, carry out every output in order, then wait for the next input or for
//! the time that the last [`io::Output::WakeAt`] named. The core never looks at a clock and opens no socket; its
//! randomness comes from a seed that the driver gives once.
//!
//! **One input, one transaction.** The database is inside: synchronous SQLite that holds messages, outbox, cursors and
//! MLS state together. Everything an input changes is committed before the outputs are returned, so an output never
//! speaks of something that a crash could undo; outputs that a crash swallows are made again after the restart, from
//! what the database says.
//!
//! * [`client`]: the state machine's door. * [`io`]: inputs and outputs. * [`command`]: what a person or a program can
//!   ask for. * [`event`]: what changed. * [`view`]: plain rows to show. * [`content`]: the format inside a message.
//! * [`mls`]: groups, one leaf per device. * [`db`]: the database.
//! * [`crate`]'s backups and history on its way: `archive` is the sealed form, `backup` the account's backup and its restore.
//! * Inside, from the door downwards. `perform`: every command finds its room. `session`: the live connection.
//!   `catch_up`: reading what was missed. `log`: entries in order. `account`, `keys`: this device. `link`: becoming one
//!   of an account's devices. `device`: all of them. `compose`, `outbox`:
//!   what goes out. `create`, `rejoin`, `membership`: groups and the log. `receipt`: cursors and ticks. `contact`:
//!   people. `address_book`: the names that one gives them. `block`: whom one does not want to hear. `signal`: typing. `presence`: who is there. `profile`: how people present themselves. `chat_state`: what one keeps about chats for oneself. `search`: in what is here. `rollback`: a database that was put back. `own`: the account's end, its lock, reports. `http`: requests. `conversation`, `message`, `job`, `own_commit`, `setting`: rows.
//!   `memory`: all that is not in the database. `step`: what one input may touch.

mod account;
pub mod address_book;
mod archive;
mod backup;
mod block;
mod catch_up;
mod chat_state;
pub mod client;
pub mod command;
mod compose;
mod contact;
pub mod content;
mod conversation;
mod create;
pub mod db;
mod device;
pub mod error;
pub mod event;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod group;
mod http;
pub mod io;
mod job;
mod keys;
mod link;
mod log;
mod membership;
mod memory;
mod message;
pub mod mls;
mod outbox;
mod own;
mod own_commit;
mod perform;
mod presence;
mod profile;
mod receipt;
mod rejoin;
pub mod reply;
mod rollback;
mod rotate;
mod search;
mod session;
mod setting;
mod signal;
mod step;
#[cfg(test)]
mod tests;
pub mod view;

pub use client::{Client, Options};
pub use command::{Command, Peer};
pub use error::ClientError;
pub use event::Event;
pub use io::{Input, Output};
pub use reply::Reply;
