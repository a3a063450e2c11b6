//! The server's own secrets: one random root, made at the first start, and a key for each use derived from it (HKDF,
//! RFC 5869), so that no key is used twice.
//!
//! The root stands in the store beside the data that it protects: it keeps a copy of single tables (a log, a backup of
//! one partition) from telling phone numbers, not a copy of everything.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key as CipherKey, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use secrecy::zeroize::Zeroizing;
use sha2::Sha256;
use std::fmt;
use tidings_proto::id::AccountId;
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Store, StoreError, Table};

use crate::random::Random;

/// Where the root stands in `Table::Server`.
pub const ROOT_ROW: &[u8] = b"root";
const ROOT_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Length of a [`Secrets::token_tag`].
pub const TAG_BYTES: usize = 32;

pub struct Secrets {
    phone_hash: Zeroizing<[u8; 32]>,
    phone_cipher: Zeroizing<[u8; 32]>,
    code: Zeroizing<[u8; 32]>,
    token: Zeroizing<[u8; 32]>,
    pin: Zeroizing<[u8; 32]>,
}

impl Secrets {
    /// Reads the root, or makes it. Two nodes that start at once end with the same.
    pub async fn load_or_make(store: &Store, random: &Random) -> Result<Self, StoreError> {
        let key = Key::new(Table::Server, [], ROOT_ROW);
        if let Some(root) = store.get(&key).await? {
            return Self::from_stored(&root);
        }
        let root = Zeroizing::new(random.bytes::<ROOT_BYTES>());
        let batch = Batch::new(Family::Server, []).assert(Table::Server, ROOT_ROW, Assert::Absent).put(
            Table::Server,
            ROOT_ROW,
            root.to_vec(),
        );
        match store.commit(batch).await {
            Ok(()) => Ok(Self::derive(&root)),
            Err(CommitError::Conflict(_)) => match store.get(&key).await? {
                Some(root) => Self::from_stored(&root),
                None => Err(StoreError::Damaged("the server's root secret came and went".into())),
            },
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// From the root, as it is stored.
    pub fn from_stored(root: &[u8]) -> Result<Self, StoreError> {
        let root: &[u8; ROOT_BYTES] =
            root.try_into().map_err(|_| StoreError::Damaged("the server's root secret has a wrong length".into()))?;
        Ok(Self::derive(root))
    }

    fn derive(root: &[u8; ROOT_BYTES]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(b"tidings server v1"), root);
        let key = |info: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            hkdf.expand(info, &mut *key).expect("32 bytes are within what HKDF gives");
            key
        };
        Self {
            phone_hash: key(b"phone hash"),
            phone_cipher: key(b"phone cipher"),
            code: key(b"code"),
            token: key(b"token"),
            pin: key(b"pin"),
        }
    }

    /// Names a phone number in the store; without the key it cannot be found by trying all numbers.
    pub fn phone_hash(&self, phone: &str) -> [u8; 32] {
        mac(&self.phone_hash, &[phone.as_bytes()])
    }

    /// What is stored of a code: bound to its number.
    pub fn code_hash(&self, phone_hash: &[u8; 32], code: &str) -> [u8; 32] {
        mac(&self.code, &[phone_hash, code.as_bytes()])
    }

    /// Goes into the hash of a PIN: there are so few PINs that a hash without it could be tried by all.
    pub fn pin_pepper(&self) -> &[u8; 32] {
        &self.pin
    }

    /// Authenticates a token's claims. Compare in constant time.
    pub fn token_tag(&self, claims: &[u8]) -> [u8; TAG_BYTES] {
        mac(&self.token, &[claims])
    }

    /// A number as it is stored for display to its owner: nonce and ciphertext, bound to the account.
    pub fn seal_phone(&self, random: &Random, account: AccountId, phone: &str) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random.bytes();
        let sealed = XChaCha20Poly1305::new(CipherKey::from_slice(&*self.phone_cipher))
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: phone.as_bytes(), aad: account.as_bytes() })
            .expect("a phone number is not too long for the cipher");
        [&nonce[..], &sealed].concat()
    }

    /// `None` if the bytes were not sealed by us for this account.
    pub fn open_phone(&self, account: AccountId, sealed: &[u8]) -> Option<String> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let phone = XChaCha20Poly1305::new(CipherKey::from_slice(&*self.phone_cipher))
            .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: account.as_bytes() })
            .ok()?;
        String::from_utf8(phone).ok()
    }
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_store::Clock;

    fn fixed() -> Secrets {
        Secrets::derive(&[7; 32])
    }

    #[test]
    fn derived_keys_do_not_change_and_differ_by_use() {
        let secrets = fixed();
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let phone = secrets.phone_hash("+31612345678");
        insta::assert_snapshot!(
            "derived",
            format!(
                "phone {}\ncode {}\ntoken {}",
                hex(phone),
                hex(secrets.code_hash(&phone, "123456")),
                hex(secrets.token_tag(b"claims")),
            )
        );
    }

    #[test]
    fn a_sealed_number_opens_for_its_account_only() {
        let secrets = fixed();
        let (owner, other) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        let sealed = secrets.seal_phone(&Random::system(), owner, "+31612345678");
        assert!(!sealed.windows(6).any(|window| window == b"612345"));
        assert_eq!(secrets.open_phone(owner, &sealed).as_deref(), Some("+31612345678"));
        assert_eq!(secrets.open_phone(other, &sealed), None);
        assert_eq!(secrets.open_phone(owner, &sealed[..20]), None);
    }

    #[tokio::test]
    async fn a_second_start_has_the_same_secrets_as_the_first() {
        let store = Store::memory(Clock::system());
        let random = Random::system();
        let (one, two) = tokio::join!(Secrets::load_or_make(&store, &random), Secrets::load_or_make(&store, &random));
        let again = Secrets::load_or_make(&store, &random).await.unwrap();
        let hash = again.phone_hash("+31612345678");
        assert_eq!(one.unwrap().phone_hash("+31612345678"), hash);
        assert_eq!(two.unwrap().phone_hash("+31612345678"), hash);
    }
}
