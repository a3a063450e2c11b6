//! JSON and CBOR (RFC 8949) of the same types, and the stored form of an entry.
//!
//! An entry is stored as one version byte and its CBOR, so that the bytes on the disk are the bytes on the wire: the
//! server writes out what it stored without decoding it ([`live_entry`], [`page`]).

use crate::entry::Entry;
use crate::id::LogId;
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The format of one connection, chosen by its subprotocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Cbor,
}

/// The bytes are not of the documented form.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl Format {
    pub fn encode<T: Serialize>(self, value: &T) -> Bytes {
        match self {
            Format::Json => serde_json::to_vec(value).expect("our types always serialize").into(),
            Format::Cbor => to_cbor(value),
        }
    }

    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, DecodeError> {
        match self {
            Format::Json => serde_json::from_slice(bytes).map_err(|error| DecodeError(error.to_string())),
            Format::Cbor => from_cbor(bytes),
        }
    }
}

/// How deep CBOR from outside may nest.
const CBOR_DEPTH_MAX: usize = 16;

pub fn to_cbor<T: Serialize>(value: &T) -> Bytes {
    let mut out = BytesMut::with_capacity(512).writer();
    ciborium::into_writer(value, &mut out).expect("our types always serialize");
    out.into_inner().freeze()
}

/// Reads one value, and nothing may follow it.
pub fn from_cbor<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, DecodeError> {
    let value = ciborium::de::from_reader_with_recursion_limit(&mut bytes, CBOR_DEPTH_MAX)
        .map_err(|error| DecodeError(error.to_string()))?;
    if bytes.is_empty() { Ok(value) } else { Err(DecodeError(format!("{} bytes follow the value", bytes.len()))) }
}

/// Version of the stored form.
const STORED_VERSION: u8 = 1;

/// An entry as it stands on the disk. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEntry(Bytes);

impl StoredEntry {
    pub fn encode(entry: &Entry) -> Self {
        let mut out = BytesMut::with_capacity(512);
        out.put_u8(STORED_VERSION);
        let mut out = out.writer();
        ciborium::into_writer(entry, &mut out).expect("entries always serialize");
        Self(out.into_inner().freeze())
    }

    /// Bytes that came from the store; they are looked at when somebody decodes them.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    pub fn decode(&self) -> Result<Entry, DecodeError> {
        match self.0.split_first() {
            Some((&STORED_VERSION, cbor)) => from_cbor(cbor),
            Some((version, _)) => Err(DecodeError(format!("stored entry of unknown version {version}"))),
            None => Err(DecodeError("stored entry is empty".into())),
        }
    }

    fn cbor(&self) -> &[u8] {
        &self.0[1..]
    }
}

/// The CBOR of `ServerFrame::Entry`, without decoding the entry.
pub fn live_entry(entry: &StoredEntry) -> Bytes {
    let mut out = BytesMut::with_capacity(entry.cbor().len() + 8);
    put_map(&mut out, 1);
    put_text(&mut out, "entry");
    out.extend_from_slice(entry.cbor());
    out.freeze()
}

/// The CBOR of `ServerFrame::Page`, without decoding the entries.
pub fn page(log: LogId, entries: &[StoredEntry], head: u64, oldest: u64, caught_up: bool) -> Bytes {
    let mut out = BytesMut::with_capacity(entries.iter().map(|e| e.cbor().len()).sum::<usize>() + 128);
    put_map(&mut out, 1);
    put_text(&mut out, "page");
    put_map(&mut out, 5);
    put_text(&mut out, "log");
    put_head(&mut out, 2, 16);
    out.extend_from_slice(log.as_bytes());
    put_text(&mut out, "entries");
    put_head(&mut out, 4, entries.len() as u64);
    for entry in entries {
        out.extend_from_slice(entry.cbor());
    }
    put_text(&mut out, "head");
    put_head(&mut out, 0, head);
    put_text(&mut out, "oldest");
    put_head(&mut out, 0, oldest);
    put_text(&mut out, "caught_up");
    out.put_u8(if caught_up { 0xf5 } else { 0xf4 });
    out.freeze()
}

/// RFC 8949 section 3: major type in the upper three bits, then the argument.
fn put_head(out: &mut BytesMut, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..=23 => out.put_u8(major | argument as u8),
        24..=0xff => out.put_slice(&[major | 24, argument as u8]),
        0x100..=0xffff => {
            out.put_u8(major | 25);
            out.put_u16(argument as u16);
        }
        0x1_0000..=0xffff_ffff => {
            out.put_u8(major | 26);
            out.put_u32(argument as u32);
        }
        _ => {
            out.put_u8(major | 27);
            out.put_u64(argument);
        }
    }
}

fn put_map(out: &mut BytesMut, pairs: u64) {
    put_head(out, 5, pairs);
}

fn put_text(out: &mut BytesMut, text: &str) {
    put_head(out, 3, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Body, Sender};
    use crate::frame::{Page, ServerFrame};
    use crate::id::{AccountId, DeviceId, MessageId};
    use proptest::prelude::*;

    fn entry(seq: u64, payload: Vec<u8>, silent: bool) -> Entry {
        Entry {
            log: LogId::from_bytes([1; 16]),
            seq,
            time_ms: 1_700_000_000_000,
            epoch: 3,
            message_id: MessageId::new(1_700_000_000_000, [5; 10]),
            sender: Sender { account: AccountId::from_bytes([2; 16]), device: DeviceId::from_bytes([3; 16]) },
            commit_seq: 1,
            ordinal: seq,
            expires_ms: 1_702_592_000_000,
            body: Body::Message { payload: payload.into(), silent },
        }
    }

    #[test]
    fn the_stored_and_the_json_form_of_an_entry_do_not_change() {
        let entry = entry(7, b"ciphertext".to_vec(), false);
        let hex: String = StoredEntry::encode(&entry).as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        insta::assert_snapshot!("entry_stored", hex);
        insta::assert_json_snapshot!("entry_json", entry);
    }

    proptest! {
        #[test]
        fn spliced_frames_are_what_serde_would_write(
            seqs in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<u8>(), 0..300), any::<bool>()), 0..30),
            head: u64, oldest: u64, caught_up: bool,
        ) {
            let entries: Vec<Entry> = seqs.into_iter().map(|(seq, payload, silent)| entry(seq, payload, silent)).collect();
            let stored: Vec<StoredEntry> = entries.iter().map(StoredEntry::encode).collect();
            for (entry, stored) in entries.iter().zip(&stored) {
                prop_assert_eq!(stored.decode().unwrap(), entry.clone());
                prop_assert_eq!(live_entry(stored), to_cbor(&ServerFrame::Entry(entry.clone())));
            }
            let log = LogId::from_bytes([1; 16]);
            let frame = ServerFrame::Page(Page { log, entries, head, oldest, caught_up });
            prop_assert_eq!(page(log, &stored, head, oldest, caught_up), to_cbor(&frame));
        }

        #[test]
        fn no_bytes_from_outside_make_the_decoders_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Format::Cbor.decode::<crate::frame::ClientFrame>(&bytes);
            let _ = Format::Json.decode::<crate::frame::ClientFrame>(&bytes);
            let _ = Format::Cbor.decode::<ServerFrame>(&bytes);
            let _ = StoredEntry::from_bytes(bytes.into()).decode();
        }
    }
}
