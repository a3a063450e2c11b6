//! Bodies of the HTTP API, in both directions. The first byte chooses the type.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_fuzz::bodies;

fuzz_target!(|bytes: &[u8]| {
    if let Some((&which, json)) = bytes.split_first() {
        bodies::decode(which, json);
    }
});
