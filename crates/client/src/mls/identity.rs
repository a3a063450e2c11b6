//! Who this device is: the account's identity key, the device's signature key, and the credential that ties them.
//!
//! They stand in a table of their own, outside of the MLS state: a device that lost its groups rejoins with the same
//! signature key, and so replaces its own old leaf.

use super::error::MlsError;
use ed25519_dalek::SigningKey;
use rand_chacha::rand_core::RngCore;
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::credential::Credential;
use tidings_proto::entry::Sender;
use tidings_proto::id::{AccountId, DeviceId};
use zeroize::Zeroizing;

/// How long a credential is good for. Nothing renews one in this version, so it outlives any device.
pub const CREDENTIAL_LIFETIME_S: u64 = 20 * 365 * 24 * 3600;

/// The keys of this device.
#[derive(Clone)]
pub struct Identity {
    pub credential: Credential,
    /// Signs in MLS. Kept from logs by `SigningKey` itself.
    pub(super) signature: SigningKey,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({}, {})", self.credential.account, self.credential.device)
    }
}

impl Identity {
    /// Makes the keys at the login of a new device, and stores them. Replaces former ones. `identity`: the account's, if
    /// this device was given it by another one; else the account gets a new identity.
    pub fn create(
        connection: &Connection,
        random: &mut impl RngCore,
        identity: Option<Zeroizing<[u8; 32]>>,
        account: AccountId,
        device: DeviceId,
        now_s: u64,
    ) -> Result<Self, MlsError> {
        let identity_secret = identity.unwrap_or_else(|| secret(random));
        let signature_secret = secret(random);
        let signature = SigningKey::from_bytes(&signature_secret);
        let credential = Credential::issue(
            &SigningKey::from_bytes(&identity_secret),
            account,
            device,
            signature.verifying_key().to_bytes(),
            now_s + CREDENTIAL_LIFETIME_S,
        );
        connection.execute(
            "INSERT OR REPLACE INTO identity (one, account, device, identity_secret, signature_secret, credential)
             VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            params![account.as_bytes(), device.as_bytes(), *identity_secret, *signature_secret, credential.as_bytes()],
        )?;
        Ok(Self { credential, signature })
    }

    /// The stored keys, if this device has logged in.
    pub fn load(connection: &Connection) -> Result<Option<Self>, MlsError> {
        let row = connection
            .query_row("SELECT signature_secret, credential FROM identity", [], |row| {
                Ok((Zeroizing::new(row.get::<_, [u8; 32]>(0)?), row.get::<_, Vec<u8>>(1)?))
            })
            .optional()?;
        let Some((signature_secret, credential)) = row else { return Ok(None) };
        let credential = Credential::verify(&credential).map_err(MlsError::internal)?;
        Ok(Some(Self { credential, signature: SigningKey::from_bytes(&signature_secret) }))
    }

    /// The account's identity key: for a device that is linked, and for the backup. Give it to nobody else.
    pub fn secret(connection: &Connection) -> Result<Option<Zeroizing<[u8; 32]>>, MlsError> {
        Ok(connection
            .query_row("SELECT identity_secret FROM identity", [], |row| Ok(Zeroizing::new(row.get::<_, [u8; 32]>(0)?)))
            .optional()?)
    }

    /// As it stands in entries.
    pub fn sender(&self) -> Sender {
        sender(&self.credential)
    }
}

/// Whose leaf a credential is.
pub fn sender(credential: &Credential) -> Sender {
    Sender { account: credential.account, device: credential.device }
}

fn secret(random: &mut impl RngCore) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill_bytes(bytes.as_mut());
    bytes
}
