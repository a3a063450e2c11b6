//! What others need to encrypt for a device: its credential and its key packages.
