//! People and their devices.
