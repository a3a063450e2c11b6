//! What people share of themselves and allow, as they set it: the stored form, and how to read it. Who is a contact of
//! somebody the server knows only if they have said so ([`save_contacts`]), because they share something with contacts only.

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
    /// Who finds them by number.
    #[serde(default)]
    pub find_me: Audience,
    /// Who may add them to groups.
    #[serde(default)]
    pub add_me: Audience,
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            last_seen: Audience::Everyone,
            read_receipts: true,
            reads_since_ms: 0,
            find_me: Audience::Everyone,
            add_me: Audience::Everyone,
        }
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

/// Version 1 of a row of `Table::Contacts`: account ids one after the other, sorted.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Contacts {
    #[serde(with = "serde_bytes")]
    accounts: Vec<u8>,
}

impl Contacts {
    fn new(mut accounts: Vec<AccountId>) -> Self {
        accounts.sort_unstable();
        accounts.dedup();
        Self { accounts: accounts.iter().flat_map(|account| *account.as_bytes()).collect() }
    }

    fn has(&self, account: AccountId) -> bool {
        let (accounts, _) = self.accounts.as_chunks::<16>();
        accounts.binary_search(account.as_bytes()).is_ok()
    }
}

/// Replaces the list; an empty one is none.
pub async fn save_contacts(store: &Store, account: AccountId, accounts: Vec<AccountId>) -> Result<()> {
    let batch = Batch::new(Family::Account, account.as_bytes());
    let batch = match accounts.is_empty() {
        true => batch.delete(Table::Contacts, []),
        false => batch.put(Table::Contacts, [], encode(&Contacts::new(accounts))),
    };
    Ok(store.commit(batch).await?)
}

/// Whether what `owner` allows this audience holds for somebody else.
pub async fn permits(store: &Store, owner: AccountId, audience: Audience, other: AccountId) -> Result<bool> {
    match audience {
        _ if owner == other => Ok(true),
        Audience::Everyone => Ok(true),
        Audience::Nobody => Ok(false),
        Audience::Contacts => {
            let row = store.get(&Key::new(Table::Contacts, owner.as_bytes(), [])).await?;
            let contacts = row.map(|row| decode::<Contacts>(Table::Contacts, row)).transpose()?;
            Ok(contacts.is_some_and(|contacts| contacts.value.has(other)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let sharing = Sharing {
            last_seen: Audience::Contacts,
            read_receipts: false,
            reads_since_ms: 7,
            find_me: Audience::Nobody,
            add_me: Audience::Contacts,
        };
        let hex: String = encode(&sharing).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("sharing_stored", hex);
        assert_eq!(decode::<Sharing>(Table::Sharing, encode(&sharing)).unwrap().value, sharing);

        let account = |n: u8| AccountId::from_bytes([n; 16]);
        let contacts = Contacts::new(vec![account(3), account(1), account(3)]);
        let hex: String = encode(&contacts).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("contacts_stored", hex);
        assert!(contacts.has(account(1)) && contacts.has(account(3)) && !contacts.has(account(2)));
    }
}
