//! The format inside a message; see docs/content.md.
