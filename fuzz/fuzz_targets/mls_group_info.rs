//! The GroupInfo for an external commit, as the server hands it out.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidings_fuzz::mls::group_info(bytes));
