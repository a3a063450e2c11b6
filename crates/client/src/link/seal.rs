//! How the bundle is sealed for the new device: two layers, each of which has to hold alone.
//!
//! * Inside: XChaCha20-Poly1305 under a key from the code's secret. Only who saw the code can have made it, and who
//!   recorded the server's traffic gains nothing from it, not even with a quantum computer.
//! * Outside: HPKE (RFC 9180, base mode, X25519 HKDF-SHA256 ChaCha20-Poly1305) to the key of the new device, whose public
//!   half the code carries. Who photographed the code cannot open it.
//!
//! ```text
//! 1 version | 32 HPKE encapsulation | HPKE ciphertext of ( 24 nonce | XChaCha20-Poly1305 ciphertext )
//! ```

use super::code::Code;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{HpkeAeadType, HpkeCiphertext, HpkeConfig, HpkeKdfType, HpkeKemType};
use sha2::{Digest, Sha256};
use tidings_proto::id::LinkId;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const CONTEXT: &[u8] = b"tidings link v1";
const ENCAPSULATION_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const CONFIG: HpkeConfig = HpkeConfig(HpkeKemType::DhKem25519, HpkeKdfType::HkdfSha256, HpkeAeadType::ChaCha20Poly1305);

/// Which layer did not open is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotSealedForUs;

/// The public key that belongs to these random bytes.
pub(super) fn public_key(seed: &[u8; 32]) -> Option<[u8; 32]> {
    RustCrypto::default().derive_hpke_keypair(CONFIG, seed).ok()?.public.try_into().ok()
}

/// `nonce`: fresh.
pub(super) fn seal(code: &Code, nonce: [u8; NONCE_BYTES], plaintext: &[u8]) -> Option<Vec<u8>> {
    let aad = aad(code.link);
    let inner = inner_key(code.link, &code.secret);
    let sealed = inner.encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad: &aad }).ok()?;
    let sealed = [&nonce[..], &sealed].concat();
    let out = RustCrypto::default().hpke_seal(CONFIG, &code.public, CONTEXT, &aad, &sealed).ok()?;
    Some([&[VERSION], out.kem_output.as_slice(), out.ciphertext.as_slice()].concat())
}

pub(super) fn open(
    link: LinkId,
    secret: &[u8; 32],
    seed: &[u8; 32],
    blob: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotSealedForUs> {
    let (version, rest) = blob.split_first().ok_or(NotSealedForUs)?;
    if *version != VERSION || rest.len() < ENCAPSULATION_BYTES {
        return Err(NotSealedForUs);
    }
    let (kem_output, ciphertext) = rest.split_at(ENCAPSULATION_BYTES);
    let crypto = RustCrypto::default();
    let aad = aad(link);
    let keys = crypto.derive_hpke_keypair(CONFIG, seed).map_err(|_| NotSealedForUs)?;
    let input = HpkeCiphertext { kem_output: kem_output.into(), ciphertext: ciphertext.into() };
    let sealed = crypto.hpke_open(CONFIG, &input, &keys.private, CONTEXT, &aad).map_err(|_| NotSealedForUs)?;
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(NotSealedForUs)?;
    let plaintext = inner_key(link, secret).decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad });
    plaintext.map(Zeroizing::new).map_err(|_| NotSealedForUs)
}

fn aad(link: LinkId) -> Vec<u8> {
    [CONTEXT, link.as_bytes()].concat()
}

/// The secret is uniformly random and used for this alone, so one hash separates it from everything else.
fn inner_key(link: LinkId, secret: &[u8; 32]) -> XChaCha20Poly1305 {
    let key = Sha256::new().chain_update(CONTEXT).chain_update(link.as_bytes()).chain_update(secret).finalize();
    let key = Zeroizing::new(<[u8; 32]>::from(key));
    XChaCha20Poly1305::new_from_slice(&key[..]).expect("the key has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; 32] = [5; 32];
    const SECRET: [u8; 32] = [2; 32];

    fn code() -> Code {
        let public = public_key(&SEED).unwrap();
        Code { link: LinkId::from_bytes([1; 16]), secret: Zeroizing::new(SECRET), public }
    }

    #[test]
    fn only_the_new_device_with_this_code_opens_it() {
        let code = code();
        let blob = seal(&code, [7; 24], b"the bundle").unwrap();
        assert_eq!(open(code.link, &SECRET, &SEED, &blob).unwrap().as_slice(), b"the bundle");
        assert!(open(LinkId::from_bytes([9; 16]), &SECRET, &SEED, &blob).is_err(), "another place");
        assert!(open(code.link, &[3; 32], &SEED, &blob).is_err(), "another secret");
        assert!(open(code.link, &SECRET, &[6; 32], &blob).is_err(), "another device");
    }

    #[test]
    fn nothing_that_was_changed_or_cut_opens() {
        let code = code();
        let blob = seal(&code, [7; 24], b"the bundle").unwrap();
        for position in 0..blob.len() {
            let mut forged = blob.clone();
            forged[position] ^= 1;
            assert!(open(code.link, &SECRET, &SEED, &forged).is_err(), "byte {position}");
            assert!(open(code.link, &SECRET, &SEED, &blob[..position]).is_err(), "length {position}");
        }
    }
}
