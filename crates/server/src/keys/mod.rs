//! What others need to encrypt for a device: its credential and its key packages. The server keeps them and gives them
//! out; who receives one checks it.
//!
//! * [`credential`]: a device publishes its credential. * [`packages`]: it uploads key packages. * [`devices`]: the
//!   devices of an account with their credentials. * [`claim`]: one key package of each.
//!
//! A device counts here once it has a credential that was signed by its account's present identity key.

pub mod claim;
pub mod credential;
pub mod devices;
pub mod packages;
