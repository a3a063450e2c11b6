//! Errors as they leave over HTTP.
