//! What a device shows to prove whose it is: the account's identity key vouches for the device's signature key.
//!
//! It stands as BasicCredential identity (RFC 9420 section 5.3) in the device's MLS leaf and key packages, so that every
//! member checks it; the server checks it too, but nobody relies on that. Canonical bytes, version 1:
//!
//! ```text
//! 1 version | 16 account | 16 device | 32 identity key (Ed25519) | 32 device signature key (Ed25519)
//!   | 8 not_after, seconds since 1970, big endian | 64 signature by the identity key over CONTEXT and all before it
//! ```

use crate::id::{AccountId, DeviceId};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

const VERSION: u8 = 1;
const CONTEXT: &[u8] = b"tidings device credential v1";
const SIGNED_BYTES: usize = 1 + 16 + 16 + 32 + 32 + 8;
const BYTES: usize = SIGNED_BYTES + 64;

/// A credential whose signature was checked: there is no other way to get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub account: AccountId,
    pub device: DeviceId,
    pub identity_key: [u8; 32],
    pub signature_key: [u8; 32],
    pub not_after_s: u64,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error("the credential is not of a known version or length")]
    Malformed,
    #[error("the credential's signature does not verify")]
    BadSignature,
}

impl Credential {
    /// Issues a credential: only who holds the identity key can.
    pub fn issue(
        identity: &SigningKey,
        account: AccountId,
        device: DeviceId,
        signature_key: [u8; 32],
        not_after_s: u64,
    ) -> Self {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(account.as_bytes());
        bytes.extend_from_slice(device.as_bytes());
        bytes.extend_from_slice(identity.verifying_key().as_bytes());
        bytes.extend_from_slice(&signature_key);
        bytes.extend_from_slice(&not_after_s.to_be_bytes());
        let signature = identity.sign(&[CONTEXT, &bytes].concat());
        bytes.extend_from_slice(&signature.to_bytes());
        Self { account, device, identity_key: identity.verifying_key().to_bytes(), signature_key, not_after_s, bytes }
    }

    /// Reads a credential and checks its signature; whether it has expired is the caller's to ask.
    pub fn verify(bytes: &[u8]) -> Result<Self, CredentialError> {
        if bytes.len() != BYTES || bytes[0] != VERSION {
            return Err(CredentialError::Malformed);
        }
        let (signed, signature) = bytes.split_at(SIGNED_BYTES);
        let field =
            |start: usize| -> [u8; 32] { signed[start..start + 32].try_into().expect("the length was checked") };
        let id = |start: usize| -> [u8; 16] { signed[start..start + 16].try_into().expect("the length was checked") };
        let identity_key = field(33);
        let key = VerifyingKey::from_bytes(&identity_key).map_err(|_| CredentialError::Malformed)?;
        let signature = Signature::from_slice(signature).map_err(|_| CredentialError::Malformed)?;
        key.verify_strict(&[CONTEXT, signed].concat(), &signature).map_err(|_| CredentialError::BadSignature)?;
        Ok(Self {
            account: AccountId::from_bytes(id(1)),
            device: DeviceId::from_bytes(id(17)),
            identity_key,
            signature_key: field(65),
            not_after_s: u64::from_be_bytes(signed[97..105].try_into().expect("the length was checked")),
            bytes: bytes.to_vec(),
        })
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

const REVOCATION_CONTEXT: &[u8] = b"tidings device revoked v1";

fn revocation_message(account: AccountId, device: DeviceId) -> Vec<u8> {
    [REVOCATION_CONTEXT, account.as_bytes(), device.as_bytes()].concat()
}

/// Says that a device is one of the account's no more, for good: a signature by the identity key, 64 bytes. Whoever has
/// seen it takes no credential of that device again, whatever a server says.
pub fn revocation(identity: &SigningKey, account: AccountId, device: DeviceId) -> [u8; 64] {
    identity.sign(&revocation_message(account, device)).to_bytes()
}

pub fn is_revocation(identity_key: &[u8; 32], account: AccountId, device: DeviceId, signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(identity_key), Signature::from_slice(signature)) else {
        return false;
    };
    key.verify_strict(&revocation_message(account, device), &signature).is_ok()
}

const REFRESH_CONTEXT: &[u8] = b"tidings refresh v1";

/// What a device signs with its signature key to show that a refresh token is used by itself.
pub fn refresh(refresh_token: &str) -> Vec<u8> {
    [REFRESH_CONTEXT, refresh_token.as_bytes()].concat()
}

/// Whether the device of this credential signed it.
pub fn is_refresh(credential: &Credential, refresh_token: &str, signature: &[u8]) -> bool {
    let key = VerifyingKey::from_bytes(&credential.signature_key);
    let (Ok(key), Ok(signature)) = (key, Signature::from_slice(signature)) else { return false };
    key.verify_strict(&refresh(refresh_token), &signature).is_ok()
}

const DELETION_CONTEXT: &[u8] = b"tidings account deleted v1";

fn deletion_message(account: AccountId) -> Vec<u8> {
    [DELETION_CONTEXT, account.as_bytes()].concat()
}

/// Says that an account is deleted by its owner: a signature by the identity key, 64 bytes. Without it nobody believes a
/// server that says so.
pub fn deletion(identity: &SigningKey, account: AccountId) -> [u8; 64] {
    identity.sign(&deletion_message(account)).to_bytes()
}

pub fn is_deletion(identity_key: &[u8; 32], account: AccountId, signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(identity_key), Signature::from_slice(signature)) else {
        return false;
    };
    key.verify_strict(&deletion_message(account), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_identity_key_deletes_and_only_its_own_account() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let account = AccountId::from_bytes([3; 16]);
        let signature = deletion(&key, account);
        let public = key.verifying_key().to_bytes();
        assert!(is_deletion(&public, account, &signature));
        assert!(!is_deletion(&public, AccountId::from_bytes([4; 16]), &signature));
        assert!(!is_deletion(&other.verifying_key().to_bytes(), account, &signature));
        assert!(!is_deletion(&public, account, &signature[1..]));
        let revoked = revocation(&key, account, DeviceId::from_bytes([5; 16]));
        assert!(!is_deletion(&public, account, &revoked));
    }

    fn issued() -> Credential {
        let identity = SigningKey::from_bytes(&[7; 32]);
        Credential::issue(
            &identity,
            AccountId::from_bytes([1; 16]),
            DeviceId::from_bytes([2; 16]),
            [3; 32],
            1_800_000_000,
        )
    }

    #[test]
    fn an_issued_credential_verifies_and_keeps_its_fields() {
        let credential = issued();
        assert_eq!(Credential::verify(credential.as_bytes()), Ok(credential));
    }

    #[test]
    fn a_revocation_is_of_one_device_and_by_its_identity_key() {
        let identity = SigningKey::from_bytes(&[7; 32]);
        let (account, device) = (AccountId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let signature = revocation(&identity, account, device);
        let key = identity.verifying_key().to_bytes();
        assert!(is_revocation(&key, account, device, &signature));
        assert!(!is_revocation(&key, account, DeviceId::from_bytes([3; 16]), &signature));
        assert!(!is_revocation(&key, AccountId::from_bytes([3; 16]), device, &signature));
        assert!(!is_revocation(
            &SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes(),
            account,
            device,
            &signature
        ));
        assert!(!is_revocation(&key, account, device, &signature[..63]));
    }

    #[test]
    fn no_flipped_bit_and_no_other_length_verifies() {
        let bytes = issued().as_bytes().to_vec();
        for position in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[position] ^= 1;
            assert!(Credential::verify(&forged).is_err(), "byte {position}");
            assert!(Credential::verify(&bytes[..position]).is_err(), "length {position}");
        }
    }
}
