//! What an old device tells a new one, and the codes and invites that people paste. The first byte chooses which.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_client::fuzz;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    if which % 2 == 0 {
        fuzz::link_bundle(bytes);
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        fuzz::pasted(text);
    }
});
