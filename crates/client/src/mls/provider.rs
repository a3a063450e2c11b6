//! What OpenMLS runs on: RustCrypto, our storage, and randomness from a seed that the driver gives.
//!
//! Keys and nonces that OpenMLS asks for come from the seed, so a simulation repeats. The encapsulations inside HPKE do
//! not (the crypto provider draws them from the system): ciphertexts of commits differ from run to run, their sizes
//! and effects do not.

use super::identity::Identity;
use super::storage::Storage;
use ed25519_dalek::Signer as _;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::random::OpenMlsRand;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::cell::RefCell;
use std::convert::Infallible;

/// ChaCha20 from a seed.
#[derive(Debug)]
pub(super) struct Random(RefCell<ChaCha20Rng>);

impl Random {
    pub fn new(seed: [u8; 32]) -> Self {
        Self(RefCell::new(ChaCha20Rng::from_seed(seed)))
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.0.borrow_mut().fill_bytes(&mut out);
        out
    }
}

impl OpenMlsRand for Random {
    type Error = Infallible;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Infallible> {
        Ok(self.bytes())
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, Infallible> {
        let mut out = vec![0; len];
        self.0.borrow_mut().fill_bytes(&mut out);
        Ok(out)
    }
}

/// One call's view of it.
pub(super) struct Provider<'a> {
    pub crypto: &'a RustCrypto,
    pub random: &'a Random,
    pub storage: Storage<'a>,
}

impl<'a> OpenMlsProvider for Provider<'a> {
    type CryptoProvider = RustCrypto;
    type RandProvider = Random;
    type StorageProvider = Storage<'a>;

    fn storage(&self) -> &Storage<'a> {
        &self.storage
    }

    fn crypto(&self) -> &RustCrypto {
        self.crypto
    }

    fn rand(&self) -> &Random {
        self.random
    }
}

/// The device's signature key signs for OpenMLS.
impl Signer for Identity {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.signature.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
