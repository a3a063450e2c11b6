//! Linking: a new device becomes one of an account by way of an old one.
//!
//! ```text
//! new device                         server                        old device
//!   opens a place ─────────────────▶ place
//!   shows the code: place, secret, public key ═══════════════════▶ reads it (QR, or typed)
//!                                    place ◀──────────────────────  leaves a sealed bundle, and a hash of the grant in it
//!   fetches and opens the bundle ◀── place
//!   redeems the grant ─────────────▶ a device, its tokens
//!   issues its own credential with the account's identity key, and joins every conversation by external commit
//! ```
//!
//! * [`code`]: what the new device shows. * [`seal`]: how the bundle is sealed. * [`bundle`]: what is in it.
//! * [`wait`]: the new device's part. * [`approve`]: the old one's.
//!
//! The server never sees the identity key, so it cannot make a device that anybody takes for one of the account's; and it
//! never sees the code, so it can neither open the bundle nor put another one in its place.

pub(crate) mod approve;
pub(crate) mod bundle;
pub(crate) mod code;
mod seal;
pub(crate) mod wait;
