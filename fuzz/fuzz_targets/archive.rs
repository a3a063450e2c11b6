//! What stands sealed in archives and backups. The first byte chooses which.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_client::fuzz;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    match which % 3 {
        0 => fuzz::archive_rows(bytes),
        1 => fuzz::archive_manifest(bytes),
        _ => fuzz::backup_lock(bytes),
    }
});
