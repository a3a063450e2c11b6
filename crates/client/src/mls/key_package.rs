//! Key packages (RFC 9420 section 10): what others need to add this device while it is away.

use super::error::MlsError;
use super::group::{CIPHERSUITE, capabilities};
use super::identity::sender;
use super::storage::{Kind, Storage, StorageError, key_bytes};
use super::{Mls, atomically};
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{KeyPackage, KeyPackageIn, KeyPackageRef, Lifetime, ProtocolVersion, Welcome};
use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn, MlsMessageOut};
use rusqlite::Connection;
use tidings_proto::entry::Sender;
use tidings_proto::limit;

/// How old a key package may be when somebody uses it.
pub const LIFETIME_S: u64 = 84 * 24 * 3600;
/// Make new ones when the oldest are this old.
pub const RENEW_AFTER_S: u64 = 40 * 24 * 3600;
/// How many single-use ones the server should have.
pub const STOCK: usize = 50;
/// A welcome may wait this long in the inbox; until then the private key is kept.
const WELCOME_WAIT_S: u64 = 31 * 24 * 3600;
/// How far the clocks of two devices may be apart.
const SKEW_S: u64 = 24 * 3600;

/// A key package to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKeyPackage {
    /// MLSMessage of a KeyPackage.
    pub payload: Vec<u8>,
    /// Good for any number of uses.
    pub last_resort: bool,
}

/// A device to add, and the key package that the server gave out for it.
#[derive(Clone, Copy, Debug)]
pub struct Invitee<'a> {
    pub device: Sender,
    pub package: &'a [u8],
}

impl Mls {
    /// Makes `single_use` key packages, and one of last resort if asked for, and stores their private keys.
    pub fn make_key_packages(
        &self,
        connection: &Connection,
        single_use: usize,
        last_resort: bool,
        now_s: u64,
    ) -> Result<Vec<NewKeyPackage>, MlsError> {
        atomically(connection, || {
            (0..single_use)
                .map(|_| self.make_key_package(connection, false, now_s))
                .chain(last_resort.then(|| self.make_key_package(connection, true, now_s)))
                .collect()
        })
    }

    fn make_key_package(
        &self,
        connection: &Connection,
        last_resort: bool,
        now_s: u64,
    ) -> Result<NewKeyPackage, MlsError> {
        let provider = self.provider(connection);
        let mut builder =
            KeyPackage::builder().key_package_lifetime(lifetime(now_s)).leaf_node_capabilities(capabilities());
        if last_resort {
            builder = builder.mark_as_last_resort();
        }
        let bundle = builder
            .build(CIPHERSUITE, &provider, &self.identity, self.credential_with_key())
            .map_err(MlsError::internal)?;
        let package = bundle.key_package();
        let reference = package.hash_ref(&self.crypto).map_err(MlsError::internal)?;
        Storage(connection).set_made(&reference, now_s)?;
        let payload = MlsMessageOut::from(package.clone()).tls_serialize_detached().map_err(MlsError::internal)?;
        Ok(NewKeyPackage { payload, last_resort })
    }

    /// Deletes the private keys of packages that nobody may use any more. Those that were used are gone already.
    pub fn discard_old_key_packages(&self, connection: &Connection, now_s: u64) -> Result<usize, MlsError> {
        let oldest = now_s.saturating_sub(LIFETIME_S + WELCOME_WAIT_S + SKEW_S);
        Ok(connection.execute("DELETE FROM mls_state WHERE made_s < ?1", [oldest])?)
    }

    /// The database was put back to an older copy: which of its key packages were used since is not known.
    pub fn mark_key_packages_copied(&self, connection: &Connection) -> Result<(), MlsError> {
        connection.execute("UPDATE mls_state SET copied = 1 WHERE made_s IS NOT NULL", [])?;
        Ok(())
    }

    /// Checks that a package is what the server says it is, and may be used now.
    pub(super) fn check_key_package(&self, invitee: Invitee<'_>, now_s: u64) -> Result<KeyPackage, MlsError> {
        let bad = |why: String| MlsError::BadKeyPackage { device: invitee.device, why };
        if invitee.package.len() > limit::KEY_PACKAGE_MAX_BYTES {
            return Err(bad(format!("{} bytes are too many", invitee.package.len())));
        }
        let package = read(invitee.package).map_err(bad)?;
        let package = package.validate(&self.crypto, ProtocolVersion::Mls10).map_err(|error| bad(error.to_string()))?;
        if package.ciphersuite() != CIPHERSUITE {
            return Err(bad(format!("ciphersuite {:?}", package.ciphersuite())));
        }
        let leaf = package.leaf_node();
        let credential = self
            .verified
            .check(leaf.credential(), leaf.signature_key().as_slice())
            .map_err(|error| bad(error.to_string()))?;
        if sender(&credential) != invitee.device {
            return Err(bad("it belongs to another device".into()));
        }
        if credential.not_after_s <= now_s {
            return Err(bad("its credential has expired".into()));
        }
        let made_s = package.life_time().not_before().saturating_add(SKEW_S);
        if now_s > made_s.saturating_add(LIFETIME_S + SKEW_S) {
            return Err(bad("it is too old".into()));
        }
        Ok(package)
    }

    pub(super) fn key_package_ref(&self, package: &KeyPackage) -> Result<KeyPackageRef, MlsError> {
        package.hash_ref(&self.crypto).map_err(MlsError::internal)
    }
}

/// From a day ago, for clocks differ, with an open end (see the module's manual on lifetimes).
pub(super) fn lifetime(now_s: u64) -> Lifetime {
    Lifetime::init(now_s.saturating_sub(SKEW_S), u64::MAX)
}

fn read(bytes: &[u8]) -> Result<KeyPackageIn, String> {
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|error| error.to_string())?;
    match message.extract() {
        MlsMessageBodyIn::KeyPackage(package) => Ok(package),
        _ => Err("it is no key package".into()),
    }
}

impl Storage<'_> {
    /// Whether a welcome is for a key package that came from an older copy of the database.
    pub(super) fn is_for_copied(&self, welcome: &Welcome) -> Result<bool, MlsError> {
        let mut find = self
            .0
            .prepare_cached("SELECT 1 FROM mls_state WHERE kind = ?1 AND group_id = x'' AND key = ?2 AND copied")?;
        for secrets in welcome.secrets() {
            if find.exists(rusqlite::params![Kind::KeyPackage as u8, key_bytes(&secrets.new_member())?])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes when a key package was made, so that it can be discarded.
    fn set_made(&self, reference: &KeyPackageRef, now_s: u64) -> Result<(), MlsError> {
        let key = key_bytes(reference)?;
        self.0
            .prepare_cached("UPDATE mls_state SET made_s = ?1 WHERE kind = ?2 AND group_id = x'' AND key = ?3")?
            .execute(rusqlite::params![now_s, Kind::KeyPackage as u8, key])?;
        Ok(())
    }
}

impl From<StorageError> for MlsError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Sqlite(error) => error.into(),
            other => Self::internal(other.to_string()),
        }
    }
}
