//! The stored form of small rows: one version byte, then CBOR.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_proto::codec;
use tidings_store::{StoreError, Table};

/// The version of every such row today. A second form of a type gets the next number, and a `decode` that knows both.
const VERSION: u8 = 1;

/// A row with the bytes that it had, so that a write can assert them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    pub value: T,
    pub bytes: Bytes,
}

pub fn encode<T: Serialize>(value: &T) -> Bytes {
    let cbor = codec::to_cbor(value);
    let mut out = BytesMut::with_capacity(1 + cbor.len());
    out.put_u8(VERSION);
    out.extend_from_slice(&cbor);
    out.freeze()
}

pub fn decode<T: DeserializeOwned>(table: Table, bytes: Bytes) -> Result<Stored<T>, StoreError> {
    let damaged = |why: String| StoreError::Damaged(format!("{}: {why}", table.name()));
    match bytes.split_first() {
        Some((&VERSION, cbor)) => {
            let value = codec::from_cbor(cbor).map_err(|error| damaged(error.to_string()))?;
            Ok(Stored { value, bytes })
        }
        Some((version, _)) => Err(damaged(format!("unknown version {version}"))),
        None => Err(damaged("empty".into())),
    }
}
