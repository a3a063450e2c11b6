//! An entry as it stands on the disk and is spliced into frames without being decoded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_proto::codec::{Format, StoredEntry, live_entry, page};
use tidings_proto::frame::ServerFrame;

fuzz_target!(|bytes: &[u8]| {
    let stored = StoredEntry::from_bytes(bytes.to_vec().into());
    let Ok(entry) = stored.decode() else { return };
    assert_eq!(StoredEntry::encode(&entry).decode().expect("what we wrote ourselves decodes"), entry);
    let live: ServerFrame = Format::Cbor.decode(&live_entry(&stored)).expect("a spliced entry decodes");
    assert_eq!(live, ServerFrame::Entry(entry.clone()));
    let two = page(entry.log, &[stored.clone(), stored], entry.seq, 1, true);
    match Format::Cbor.decode(&two).expect("a spliced page decodes") {
        ServerFrame::Page(page) => assert_eq!(page.entries, [entry.clone(), entry]),
        other => panic!("a page decodes as {other:?}"),
    }
});
