//! The rows of accounts and devices: their stored forms, and how to read them. Who writes them stands in `account` and
//! `keys`.
//!
//! Truth comes last: a device exists when its `Device` row does, an account of a number when its `Phone` row does. The
//! rows that are written before (`DeviceOwner`, `Account`) may belong to nobody.

use crate::error::Result;
use crate::stored::{Stored, decode};
use serde::{Deserialize, Serialize};
use tidings_proto::entry::Sender;
use tidings_proto::id::{AccountId, DeviceId, LogId};
use tidings_proto::limit;
use tidings_store::{Key, Scan, Store, StoreError, Table};

/// Version 1 of a row of `Table::Account`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// `Secrets::seal_phone` of its number.
    #[serde(with = "serde_bytes")]
    pub phone: Vec<u8>,
    /// What its devices' credentials are signed with; none until the first of them puts one.
    pub identity_key: Option<serde_bytes::ByteArray<32>>,
    pub created_ms: u64,
    /// How many devices it ever got. Every login counts it up, so no two of them can miss each other's device.
    #[serde(default)]
    pub logins: u64,
}

/// Version 1 of a row of `Table::Device`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub name: String,
    pub created_ms: u64,
    /// How often its tokens were rotated; see `auth`.
    pub generation: u64,
    /// Whether an access token of this generation was used: before that, the generation before is good too. A device
    /// whose first generation was never used is one that nobody knows of.
    pub confirmed: bool,
}

pub async fn account(store: &Store, account: AccountId) -> Result<Option<Stored<Account>>> {
    let row = store.get(&Key::new(Table::Account, account.as_bytes(), [])).await?;
    Ok(row.map(|bytes| decode(Table::Account, bytes)).transpose()?)
}

pub async fn device(store: &Store, device: Sender) -> Result<Option<Stored<Device>>> {
    let row = store.get(&Key::new(Table::Device, device.account.as_bytes(), device.device.as_bytes())).await?;
    Ok(row.map(|bytes| decode(Table::Device, bytes)).transpose()?)
}

/// The devices of an account, by id.
pub async fn devices(store: &Store, account: AccountId) -> Result<Vec<(DeviceId, Stored<Device>)>> {
    // One more than there may be, so that a broken limit would show.
    let rows = store.scan(&Scan::all(Table::Device, account.as_bytes(), limit::DEVICES_MAX as u32 + 1)).await?;
    let mut devices = Vec::with_capacity(rows.len());
    for row in rows {
        let id = DeviceId::from_slice(&row.row)
            .ok_or_else(|| StoreError::Damaged("device: a row key is not a device id".into()))?;
        devices.push((id, decode(Table::Device, row.value)?));
    }
    Ok(devices)
}

/// Whose device this is; the device's own row may be gone.
pub async fn owner(store: &Store, device: DeviceId) -> Result<Option<AccountId>> {
    let row = store.get(&Key::new(Table::DeviceOwner, device.as_bytes(), [])).await?;
    Ok(row.map(|bytes| account_id(Table::DeviceOwner, &bytes)).transpose()?)
}

/// Rows of one scan.
const SCAN_ROWS: u32 = 1_024;

/// The conversations of an account, and perhaps some that never came to be.
pub async fn memberships(store: &Store, account: AccountId) -> Result<Vec<LogId>> {
    let (mut logs, mut from) = (Vec::new(), Vec::new());
    loop {
        let rows = store.scan(&Scan::all(Table::Membership, account.as_bytes(), SCAN_ROWS).from(&from)).await?;
        logs.extend(rows.iter().filter_map(|row| LogId::from_slice(&row.row)));
        match rows.last() {
            Some(last) if rows.len() == SCAN_ROWS as usize => from = [&last.row[..], &[0]].concat(),
            _ => return Ok(logs),
        }
    }
}

/// The account of a number, by `Secrets::phone_hash`.
pub async fn account_of_phone(store: &Store, phone_hash: &[u8; 32]) -> Result<Option<AccountId>> {
    let row = store.get(&Key::new(Table::Phone, phone_hash, [])).await?;
    Ok(row.map(|bytes| account_id(Table::Phone, &bytes)).transpose()?)
}

pub fn account_id(table: Table, bytes: &[u8]) -> Result<AccountId, StoreError> {
    AccountId::from_slice(bytes).ok_or_else(|| StoreError::Damaged(format!("{}: not an account id", table.name())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::encode;
    use bytes::Bytes;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn stored_forms_do_not_change() {
        let account = Account {
            phone: vec![1, 2, 3],
            identity_key: Some([7; 32].into()),
            created_ms: 1_700_000_000_000,
            logins: 2,
        };
        let device = Device { name: "laptop".into(), created_ms: 1_700_000_000_000, generation: 3, confirmed: true };
        insta::assert_snapshot!("account_stored", hex(&encode(&account)));
        insta::assert_snapshot!("device_stored", hex(&encode(&device)));
        assert_eq!(decode::<Account>(Table::Account, encode(&account)).unwrap().value, account);
        assert_eq!(decode::<Device>(Table::Device, encode(&device)).unwrap().value, device);
    }

    #[test]
    fn rows_of_unknown_versions_and_cut_rows_are_damaged() {
        let device = Device { name: "laptop".into(), created_ms: 1, generation: 1, confirmed: true };
        let good = encode(&device);
        let mut other = good.to_vec();
        other[0] = 2;
        for bad in [Bytes::new(), Bytes::from(other), good.slice(..good.len() - 1)] {
            assert!(matches!(decode::<Device>(Table::Device, bad), Err(StoreError::Damaged(_))));
        }
    }
}
