//! A welcome from a device's inbox.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidings_fuzz::mls::welcome(bytes));
