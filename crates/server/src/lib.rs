//! The services of Tidings, as a library. `tidings serve` runs it; the simulation runs it without a socket.
//!
//! Floors, from the ground up; arrows point down only, and rooms of one floor do not know each other:
//!
//! 1. [`config`], [`error`], [`metrics`], [`random`], [`rate`], [`secret`], [`sms`], [`stored`], [`address`], [`log`]:
//!    what everybody needs.
//! 2. [`hub`] (who is connected, and how to wake them), [`lane`] (the one in-memory state of a log that is in use: head,
//!    roster, watermarks), [`public_group`] (the public MLS state of groups), [`online`] (who looks at the app),
//!    [`directory`] (accounts and devices), [`sharing`] (what people share of themselves), [`auth`] (who is asking),
//!    [`logout`], [`deletion`] (how accounts end), all on top of [`server::Server`].
//! 3. The rooms, one per service: [`account`], [`keys`], [`conversation`], [`presence`], [`sync`], [`blob`], [`backup`], [`report`]. One request, one file; a handler
//!    takes the `Server`, and its OpenAPI stands on it.
//! 4. [`gateway`]: HTTP and WebSocket; the only room that knows all others.

pub mod account;
pub mod address;
pub mod auth;
pub mod backup;
pub mod blob;
pub mod config;
pub mod conversation;
pub mod deletion;
pub mod directory;
pub mod error;
pub mod gateway;
pub mod hub;
pub mod keys;
pub mod lane;
pub mod log;
pub mod logout;
pub mod metrics;
pub mod online;
pub mod presence;
pub mod public_group;
pub mod random;
pub mod rate;
pub mod report;
pub mod secret;
pub mod server;
pub mod sharing;
pub mod sms;
pub mod stored;
pub mod sync;

pub use config::Config;
pub use server::Server;
