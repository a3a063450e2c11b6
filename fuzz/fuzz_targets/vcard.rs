//! An address book from another program.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_client::address_book::vcard;

fuzz_target!(|bytes: &[u8]| {
    let _ = vcard::read(bytes);
});
