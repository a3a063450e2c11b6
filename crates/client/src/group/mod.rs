//! Groups: who is in, what they may do, how one comes in and goes.

pub(crate) mod profile;
