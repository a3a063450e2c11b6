//! The world in one process: whole clients, the server over its memory engine, a network, clocks, and chance.
//!
//! A [`world`] grows from a seed: the same seed gives the same world. It is wild for a number of steps ([`action`],
//! [`fault`]), then healed; the [`properties`] hold it against a small [`model`] all along. When a promise breaks, the
//! last lines of the [`story`] are printed, with the command that repeats it.
//!
//! The real parts run: `Client::handle` behind its driver's law ([`device`]), the server's router and sessions over
//! frames in CBOR ([`server`]). Simulated are only the wires ([`network`]), time ([`clock`]), the disk below the server's
//! memory engine, and the operating system's randomness ([`entropy`]).

pub mod action;
pub mod clock;
pub mod device;
pub mod entropy;
pub mod evil;
pub mod fault;
pub mod intent;
pub mod laptop;
pub mod model;
pub mod network;
pub mod properties;
pub mod rollback;
pub mod server;
pub mod session;
pub mod signup;
pub mod story;
pub mod world;

pub use world::{Outcome, Settings, run};
