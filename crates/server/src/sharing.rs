//! What people share of themselves, as they set it: the stored form, and how to read it.

use crate::error::Result;
use crate::stored::{decode, encode};
use serde::{Deserialize, Serialize};
use tidings_proto::http::Audience;
use tidings_proto::id::AccountId;
use tidings_store::table::Family;
use tidings_store::{Batch, Key, Store, Table};

/// Version 1 of a row of `Table::Sharing`. Who has none shares everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// Online and last seen.
    pub last_seen: Audience,
    /// Whether others see what the person has read.
    pub read_receipts: bool,
    /// When that was switched on again; 0: it always was. What was read before stays between the person's devices.
    pub reads_since_ms: u64,
}

impl Default for Sharing {
    fn default() -> Self {
        Self { last_seen: Audience::Everyone, read_receipts: true, reads_since_ms: 0 }
    }
}

/// In the order of the accounts.
pub async fn load(store: &Store, accounts: &[AccountId]) -> Result<Vec<Sharing>> {
    let keys: Vec<Key> = accounts.iter().map(|account| Key::new(Table::Sharing, account.as_bytes(), [])).collect();
    let rows = store.get_many(&keys).await?.into_iter();
    let sharing =
        rows.map(|row| row.map_or(Ok(Sharing::default()), |row| Ok(decode::<Sharing>(Table::Sharing, row)?.value)));
    sharing.collect()
}

pub async fn load_one(store: &Store, account: AccountId) -> Result<Sharing> {
    Ok(load(store, &[account]).await?[0])
}

pub async fn save(store: &Store, account: AccountId, sharing: Sharing) -> Result<()> {
    let row = Batch::new(Family::Account, account.as_bytes()).put(Table::Sharing, [], encode(&sharing));
    Ok(store.commit(row).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let sharing = Sharing { last_seen: Audience::Contacts, read_receipts: false, reads_since_ms: 7 };
        let hex: String = encode(&sharing).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("sharing_stored", hex);
        assert_eq!(decode::<Sharing>(Table::Sharing, encode(&sharing)).unwrap().value, sharing);
    }
}
