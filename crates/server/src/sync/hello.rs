//! Whether a device's database is an old copy: each device counts its hellos, durably and before it says them, and the
//! server remembers the highest. A count that comes again was said by a later state of the same device.
//!
//! A crash of the server may forget the counts of its last second; then an old copy is noticed by the entries of its own
//! that it does not know.

use crate::error::Result;
use crate::server::Server;
use tidings_proto::entry::Sender;
use tidings_store::{Key, MergeRow, Table};

const ROW: &[u8] = b"hellos";

/// Remembers the count. If it is not new: the highest one before, from which the device goes on. 0: it does not count.
pub async fn rolled_back(server: &Server, sender: Sender, count: u64) -> Result<Option<u64>> {
    if count == 0 {
        return Ok(None);
    }
    let key = Key::new(Table::Cursor, sender.device.as_bytes(), ROW);
    let before =
        server.store.get(&key).await?.and_then(|value| value[..].try_into().ok()).map_or(0, u64::from_be_bytes);
    if count <= before {
        tracing::warn!(device = %sender.device, count, before, "a device came with an old copy of its database");
        return Ok(Some(before));
    }
    let row = MergeRow::new(Table::Cursor, sender.device.as_bytes(), ROW, count, count.to_be_bytes().to_vec());
    server.store.merge(vec![row]).await?;
    Ok(None)
}
