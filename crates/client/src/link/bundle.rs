//! What an old device gives to a new one: who the account is, its identity key, the grant of a login, and the people it
//! knows with the keys that it pinned, so that the new device trusts nobody anew.

use crate::archive::send::Offer;
use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::id::AccountId;
use tidings_proto::limit::LINK_BLOB_MAX_BYTES;
use tidings_proto::payload::Payload;
use zeroize::Zeroizing;

/// Those whom one had to do with last; the others come with the history.
const PEOPLE_MAX: usize = 400;
/// The blob has room for the seals too.
const BUNDLE_MAX_BYTES: usize = LINK_BLOB_MAX_BYTES - 1_024;

/// Sealed, as CBOR. Fields may be added, never changed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bundle {
    pub account: AccountId,
    /// One's own number, E.164.
    pub phone: String,
    /// How this person wants to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Ed25519: 32 bytes.
    pub identity_secret: Payload,
    pub grant: Payload,
    /// Where the old device's history is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Offer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Known>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub account: AccountId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_key: Option<Payload>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
}

impl Bundle {
    pub fn encode(mut self) -> Zeroizing<Vec<u8>> {
        loop {
            let bytes = Zeroizing::new(to_cbor(&self).to_vec());
            if bytes.len() <= BUNDLE_MAX_BYTES || self.people.is_empty() {
                return bytes;
            }
            self.people.truncate(self.people.len() / 2);
        }
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        from_cbor(bytes).ok()
    }
}

/// The people whom this device knows, the most recently active first.
pub(super) fn known(tx: &Connection, own: AccountId) -> Result<Vec<Known>, Stop> {
    Ok(tx
        .prepare_cached(
            "SELECT contact.account, phone, name, identity_key, verified FROM contact
             LEFT JOIN conversation ON conversation.account = contact.account AND conversation.kind = 0
             WHERE contact.account <> ?1 ORDER BY active_ms DESC LIMIT ?2",
        )?
        .query_map(params![own.as_bytes(), PEOPLE_MAX], |row| {
            Ok(Known {
                account: AccountId::from_bytes(row.get(0)?),
                phone: row.get(1)?,
                name: row.get(2)?,
                identity_key: row.get::<_, Option<Vec<u8>>>(3)?.map(Payload::from),
                verified: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?)
}

/// The new device knows them from now on.
pub(super) fn keep(step: &Step<'_>, people: &[Known]) -> Done {
    for known in people.iter().take(PEOPLE_MAX) {
        let key: Option<[u8; 32]> = known.identity_key.as_ref().and_then(|key| key.as_slice().try_into().ok());
        step.tx
            .prepare_cached(
                "INSERT OR REPLACE INTO contact (account, phone, name, identity_key, verified)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                known.account.as_bytes(),
                known.phone,
                known.name,
                key,
                known.verified && key.is_some()
            ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_proto::id::BlobId;

    #[test]
    fn the_form_of_a_bundle_does_not_change() {
        let known = Known {
            account: AccountId::from_bytes([2; 16]),
            phone: Some("+31687654321".into()),
            name: Some("Bram".into()),
            identity_key: Some(vec![3; 32].into()),
            verified: true,
        };
        let bundle = Bundle {
            account: AccountId::from_bytes([1; 16]),
            phone: "+31612345678".into(),
            name: None,
            identity_secret: vec![4; 32].into(),
            grant: vec![5; 32].into(),
            history: Some(Offer { blob: BlobId::from_bytes([6; 16]), key: vec![7; 32].into() }),
            people: vec![known],
        };
        let bytes = bundle.clone().encode();
        insta::assert_snapshot!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        assert!(Bundle::decode(&bytes).is_some_and(|read| read == bundle));
        for length in 0..bytes.len() {
            assert!(Bundle::decode(&bytes[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn a_bundle_fits_however_many_people_one_knows() {
        let known = Known {
            account: AccountId::from_bytes([2; 16]),
            phone: None,
            name: Some("x".repeat(1_000)),
            identity_key: None,
            verified: false,
        };
        let bundle = Bundle {
            account: AccountId::from_bytes([1; 16]),
            phone: String::new(),
            name: None,
            identity_secret: vec![4; 32].into(),
            grant: vec![5; 32].into(),
            history: None,
            people: vec![known; PEOPLE_MAX],
        };
        assert!(bundle.encode().len() <= BUNDLE_MAX_BYTES);
    }
}
