//! Rows of one table: its name and columns once, then the values. A table or column that a reader does not know is
//! passed over, and one that it misses keeps its default: so archives outlive changes of the schema.

use super::ArchiveError;
use super::cell::Cell;
use serde::{Deserialize, Serialize};
use tidings_proto::codec::{from_cbor, to_cbor};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rows {
    pub table: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

/// Version of what stands inside of a chunk.
const VERSION: u8 = 1;

/// The plaintext of a chunk.
pub(crate) fn encode(tables: &[Rows]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&to_cbor(&tables));
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Rows>, ArchiveError> {
    match bytes.split_first() {
        Some((&VERSION, cbor)) => {
            let tables: Vec<Rows> = from_cbor(cbor).map_err(|_| ArchiveError::Damaged)?;
            let is_whole = |rows: &Rows| rows.rows.iter().all(|row| row.len() == rows.columns.len());
            if tables.iter().all(is_whole) { Ok(tables) } else { Err(ArchiveError::Damaged) }
        }
        Some((version, _)) if *version > VERSION => Err(ArchiveError::Newer),
        _ => Err(ArchiveError::Damaged),
    }
}
