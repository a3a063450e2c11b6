//! A device's credential, as other people's devices show it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_proto::credential::Credential;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(credential) = Credential::verify(bytes) {
        assert_eq!(credential.as_bytes(), bytes, "a credential has one form");
    }
});
