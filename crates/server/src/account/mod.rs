//! People and their devices.
//!
//! * [`register`]: a code for a phone number. * [`login`]: the code for an account and a device.
//! * [`token`]: refresh and revoke. * [`device`]: one's devices. * [`link`]: a new device by way of an old one. * [`me`]: oneself. * [`lookup`]: others, by number; `lookup_use`: how many of them.
//! * [`lock`]: a PIN for the number. * [`delete`]: the end of the account.
//!
//! Nothing that can be asked without a code tells whether a number has an account: register and login do the same work
//! and give the same answers for both. Signed-in people can look numbers up, within a daily limit.

pub mod code;
pub mod delete;
pub mod device;
pub mod link;
pub mod lock;
pub mod login;
pub mod lookup;
mod lookup_use;
pub mod me;
pub mod phone;
pub mod register;
pub mod token;
