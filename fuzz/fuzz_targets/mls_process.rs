//! The payload of a log's entry: a message or a commit of a group.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidings_fuzz::mls::process(bytes));
