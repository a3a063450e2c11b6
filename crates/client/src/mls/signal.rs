//! Signals: encrypted payloads that go to whoever is online and are never stored (typing).
//!
//! They have a key of their own from the MLS exporter. The message ratchet is not for them: a signal that gets lost
//! would use up a generation, and enough of them would make messages unreadable. Every member has the key, so a member
//! could pretend to be another one; nothing that matters hangs on a signal.
//!
//! ```text
//! 8 epoch, big endian | 24 random nonce | XChaCha20-Poly1305, AAD = conversation | account | device | epoch
//! ```

use super::Mls;
use super::error::MlsError;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rusqlite::Connection;
use tidings_proto::entry::Sender;
use tidings_proto::id::ConversationId;
use tidings_proto::limit;
use zeroize::Zeroizing;

const LABEL: &str = "tidings signal v1";
const EPOCH_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;

impl Mls {
    pub fn seal_signal(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, MlsError> {
        let (epoch, key) = self.signal_key(connection, conversation)?;
        let nonce = self.random.bytes::<NONCE_BYTES>();
        let aad = aad(conversation, self.identity.sender(), epoch);
        let sealed =
            key.encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad: &aad }).map_err(MlsError::internal)?;
        Ok([&epoch.to_be_bytes()[..], &nonce, &sealed].concat())
    }

    /// `sender`: whom the server names. A signal that does not open is ignored.
    pub fn open_signal(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        sender: Sender,
        payload: &[u8],
    ) -> Result<Vec<u8>, MlsError> {
        if payload.len() < EPOCH_BYTES + NONCE_BYTES || payload.len() > limit::SIGNAL_MAX_BYTES {
            return Err(MlsError::invalid("a signal of an impossible length"));
        }
        let (epoch, rest) = payload.split_at(EPOCH_BYTES);
        let (nonce, sealed) = rest.split_at(NONCE_BYTES);
        let epoch = u64::from_be_bytes(epoch.try_into().expect("the length was checked"));
        let (ours, key) = self.signal_key(connection, conversation)?;
        if epoch != ours {
            return Err(MlsError::WrongEpoch { message: epoch, group: ours });
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().expect("the length was checked");
        key.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: &aad(conversation, sender, epoch) })
            .map_err(|_| MlsError::Undecryptable { why: "a signal that its sender did not make".into() })
    }

    /// The epoch, and its key.
    fn signal_key(
        &self,
        connection: &Connection,
        conversation: ConversationId,
    ) -> Result<(u64, XChaCha20Poly1305), MlsError> {
        self.ask(connection, conversation, |group| {
            let key =
                group.export_secret(&self.crypto, LABEL, conversation.as_bytes(), 32).map_err(MlsError::internal)?;
            let key = XChaCha20Poly1305::new_from_slice(&Zeroizing::new(key)).map_err(MlsError::internal)?;
            Ok((group.epoch().as_u64(), key))
        })
    }
}

fn aad(conversation: ConversationId, sender: Sender, epoch: u64) -> Vec<u8> {
    [conversation.as_bytes().as_slice(), sender.account.as_bytes(), sender.device.as_bytes(), &epoch.to_be_bytes()]
        .concat()
}
