//! What crosses the wire between Tidings clients and servers. No IO, and nothing of ours below it.
//!
//! * [`id`]: the 16-byte names of things. * [`entry`]: one row of a log. * [`frame`]: the live connection.
//! * [`http`], [`account`], [`backup`], [`report`]: bodies of the HTTP API. * [`problem`]: the closed set of errors. * [`credential`]: what a device
//!   shows to prove whose it is. * [`group`]: a group's rules, and whether a commit keeps them. * [`codec`]: JSON and CBOR. * [`limit`]: every bound, with its name.

pub mod account;
pub mod backup;
pub mod codec;
pub mod credential;
pub mod entry;
pub mod frame;
pub mod group;
pub mod http;
pub mod id;
pub mod limit;
pub mod payload;
pub mod problem;
pub mod report;
