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
//! * [`client`]: the state machine. * [`io`]: inputs and outputs. * [`command`]: what a person or a program can ask
//!   for. * [`event`]: what changed. * [`view`]: plain rows to show. * [`content`]: the format inside a message.
//! * [`mls`]: groups, one leaf per device. * [`db`]: the database.

pub mod client;
pub mod command;
pub mod content;
pub mod db;
pub mod error;
pub mod event;
pub mod io;
pub mod mls;
pub mod view;

pub use client::{Client, Options};
pub use command::{Command, Peer, Reply};
pub use error::ClientError;
pub use event::Event;
pub use io::{Input, Output};
