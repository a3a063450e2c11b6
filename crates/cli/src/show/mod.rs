//! How things look: harmless text, times, messages as lines, and the plain JSON that programs read.

pub mod contact;
pub mod group;
pub mod info;
pub mod line;
pub mod me;
pub mod out;
pub mod plain;
pub mod presence;
pub mod qr;
pub mod text;
pub mod time;
