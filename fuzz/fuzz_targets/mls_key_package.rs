//! A key package of somebody else's device, as the server hands it out.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidings_fuzz::mls::key_package(bytes));
