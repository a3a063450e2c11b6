//! How things look: harmless text, times, messages as lines, and the plain JSON that programs read.

pub mod line;
pub mod out;
pub mod plain;
pub mod text;
pub mod time;
