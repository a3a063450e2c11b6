//! The person's secret, and what Argon2id (RFC 9106) makes of it: a key that wraps the backup key, and a proof for the
//! server. 64 MiB, 3 passes, 1 lane: about a quarter of a second on a laptop, and in a browser too, which has one thread.
//!
//! A recovery code is generated: 28 signs of 5 bits, so nobody guesses it, however the backup gets into their hands. A
//! passphrase is as good as the person chose it; the server, which has the wrapped key, could try them.

use crate::error::ClientError;
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use rand_chacha::rand_core::RngCore;
use serde::{Deserialize, Serialize};
use tidings_proto::backup::{Kdf, SecretKind};
use tidings_proto::id::AccountId;
use tidings_proto::payload::Payload as Bytes;
use zeroize::Zeroizing;

/// Tests have hundreds of restores.
const MEMORY_KIB: u32 = if cfg!(test) { 64 } else { 64 * 1024 };
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// Less was never ours: a server that says so wants a proof from which the secret can be guessed.
const MEMORY_MIN_KIB: u32 = MEMORY_KIB;
const PASSES_MIN: u32 = PASSES;
/// More than this is not ours, and would only stop this device.
const MEMORY_MAX_KIB: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;

pub(crate) const PASSPHRASE_MIN_CHARS: usize = 10;
const PASSPHRASE_MAX_BYTES: usize = 1_024;
const CODE_SIGNS: usize = 28;
const CODE_GROUP: usize = 4;
/// Crockford's base 32: no I, L, O, U.
const SIGNS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const WRAP_CONTEXT: &[u8] = b"tidings backup key v1";

pub(crate) type BackupKey = Zeroizing<[u8; 32]>;

/// The wrapped key, and how to unwrap it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    pub kdf: Kdf,
    pub wrapped: Bytes,
}

/// What Argon2id made.
pub(crate) struct Derived {
    wrap: Zeroizing<[u8; 32]>,
    pub proof: Zeroizing<[u8; 32]>,
}

/// A new code, as people write it down.
pub(crate) fn generate(random: &mut impl RngCore) -> Zeroizing<String> {
    let mut code = Zeroizing::new(String::with_capacity(CODE_SIGNS + CODE_SIGNS / CODE_GROUP));
    for index in 0..CODE_SIGNS {
        if index > 0 && index % CODE_GROUP == 0 {
            code.push('-');
        }
        // 32 divides 2^32: every sign is as likely as the others.
        code.push(char::from(SIGNS[(random.next_u32() % 32) as usize]));
    }
    code
}

/// A passphrase that is good enough to be used.
pub(crate) fn check(passphrase: &str) -> Result<(), ClientError> {
    let chars = passphrase.trim().chars().count();
    if chars < PASSPHRASE_MIN_CHARS {
        let why = format!("a passphrase has at least {PASSPHRASE_MIN_CHARS} characters; five random words are better");
        return Err(ClientError::NotAllowed { why });
    }
    if passphrase.len() > PASSPHRASE_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: passphrase.len(), max: PASSPHRASE_MAX_BYTES });
    }
    Ok(())
}

/// As it goes into Argon2id: codes as they are read aloud, passphrases without spaces around them.
fn normal(kind: SecretKind, secret: &str) -> Zeroizing<String> {
    Zeroizing::new(match kind {
        SecretKind::Passphrase => secret.trim().to_owned(),
        SecretKind::Code => secret
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|sign| match sign.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect(),
    })
}

pub(crate) fn fresh_kdf(random: &mut impl RngCore, secret: SecretKind) -> Kdf {
    let mut salt = [0; 16];
    random.fill_bytes(&mut salt);
    Kdf { secret, salt: salt.to_vec().into(), memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES }
}

/// Takes about a quarter of a second. `None`: the parameters are beyond all bounds.
pub(crate) fn derive(kdf: &Kdf, secret: &str) -> Option<Derived> {
    let within = (MEMORY_MIN_KIB..=MEMORY_MAX_KIB).contains(&kdf.memory_kib)
        && (PASSES_MIN..=PASSES_MAX).contains(&kdf.passes)
        && kdf.lanes <= LANES_MAX;
    if !within {
        return None;
    }
    let secret = normal(kdf.secret, &secret[..secret.floor_char_boundary(4 * PASSPHRASE_MAX_BYTES)]);
    let params = Params::new(kdf.memory_kib, kdf.passes, kdf.lanes, Some(64)).ok()?;
    let mut out = Zeroizing::new([0; 64]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(secret.as_bytes(), kdf.salt.as_slice(), out.as_mut())
        .ok()?;
    let (wrap, proof) = out.split_at(32);
    let half = |bytes: &[u8]| Zeroizing::new(bytes.try_into().expect("half of 64 bytes"));
    Some(Derived { wrap: half(wrap), proof: half(proof) })
}

/// `derived` comes from a fresh salt: its key seals this and nothing else.
pub(crate) fn wrap(derived: &Derived, account: AccountId, key: &BackupKey) -> Bytes {
    cipher(derived)
        .encrypt(&Nonce::default(), Payload { msg: key.as_slice(), aad: &context(account) })
        .expect("32 bytes are within what the cipher takes")
        .into()
}

pub(crate) fn unwrap(derived: &Derived, account: AccountId, wrapped: &[u8]) -> Option<BackupKey> {
    let opened = cipher(derived).decrypt(&Nonce::default(), Payload { msg: wrapped, aad: &context(account) }).ok()?;
    let opened = Zeroizing::new(opened);
    Some(Zeroizing::new(opened.as_slice().try_into().ok()?))
}

fn cipher(derived: &Derived) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(Key::from_slice(derived.wrap.as_slice()))
}

fn context(account: AccountId) -> Vec<u8> {
    [WRAP_CONTEXT, account.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);

    fn cheap(secret: SecretKind) -> Kdf {
        Kdf { secret, salt: vec![7; 16].into(), memory_kib: 64, passes: 3, lanes: 1 }
    }

    #[test]
    fn codes_are_long_and_taken_as_people_read_them() {
        let code = generate(&mut ChaCha20Rng::from_seed([1; 32]));
        insta::assert_snapshot!(*code, @"2T55-N198-YPBX-E4KG-1E4E-9XTY-MX3G");
        let derive = |text: &str| *derive(&cheap(SecretKind::Code), text).unwrap().proof;
        let spoken = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(derive(&code), derive(&spoken));
        assert_ne!(derive(&code), derive(&code[1..]));
    }

    #[test]
    fn passphrases_have_a_least_length_and_keep_their_case() {
        assert!(check(" too short ").is_err());
        assert!(check("long enough").is_ok());
        assert!(check(&"x".repeat(2_000)).is_err());
        let derive = |text: &str| *derive(&cheap(SecretKind::Passphrase), text).unwrap().proof;
        assert_eq!(derive("correct horse\n"), derive("correct horse"));
        assert_ne!(derive("Correct horse"), derive("correct horse"));
        // Whatever somebody pastes, and wherever it is cut.
        for ahead in 0..4 {
            derive(&("x".repeat(ahead) + &"\u{1f512}".repeat(2_000)));
        }
    }

    #[test]
    fn the_key_comes_out_for_the_right_secret_and_account_only() {
        let key = BackupKey::new([9; 32]);
        let right = derive(&cheap(SecretKind::Passphrase), "correct horse").unwrap();
        let wrapped = wrap(&right, ACCOUNT, &key);
        assert_eq!(unwrap(&right, ACCOUNT, wrapped.as_slice()), Some(key));
        let wrong = derive(&cheap(SecretKind::Passphrase), "wrong horse").unwrap();
        assert_eq!(unwrap(&wrong, ACCOUNT, wrapped.as_slice()), None);
        assert_eq!(unwrap(&right, AccountId::from_bytes([2; 16]), wrapped.as_slice()), None);
    }

    #[test]
    fn parameters_of_a_server_that_wants_to_stop_this_device_or_to_guess_are_refused() {
        let kdf = cheap(SecretKind::Code);
        assert!(derive(&Kdf { memory_kib: MEMORY_KIB - 1, ..kdf.clone() }, "x").is_none());
        assert!(derive(&Kdf { passes: PASSES - 1, ..kdf.clone() }, "x").is_none());
        assert!(derive(&Kdf { memory_kib: u32::MAX, ..kdf.clone() }, "x").is_none());
        assert!(derive(&Kdf { passes: u32::MAX, ..kdf.clone() }, "x").is_none());
        assert!(derive(&Kdf { lanes: 0, ..kdf }, "x").is_none());
    }

    #[test]
    fn the_derivation_does_not_change() {
        let derived = derive(&cheap(SecretKind::Code), "0000-1111").unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let wrapped = wrap(&derived, ACCOUNT, &BackupKey::new([9; 32]));
        let text = format!("{}\n{}", hex(derived.proof.as_slice()), hex(wrapped.as_slice()));
        insta::assert_snapshot!("backup_key_derived", text);
    }
}
