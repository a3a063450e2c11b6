//! Where OpenMLS keeps its state: the table `mls_state` in the one database, so that it commits together with the
//! message that it belongs to.
//!
//! A value is one format byte and MessagePack with field names and byte strings. The codec must describe itself:
//! OpenMLS has an untagged enum in its group configuration, which formats like postcard write and cannot read back.
//! The format byte changes when the codec or a new OpenMLS changes the form; the snapshot test in `tests/stored.rs` and
//! the pinned version in Cargo.toml watch over that.

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// First byte of every value.
pub(super) const FORMAT: u8 = 1;

/// What a row holds. The numbers are stored; they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    JoinConfig = 1,
    OwnLeafNodes = 2,
    Proposal = 3,
    Tree = 4,
    TranscriptHash = 5,
    Context = 6,
    ConfirmationTag = 7,
    GroupState = 8,
    MessageSecrets = 9,
    ResumptionPsks = 10,
    OwnLeafIndex = 11,
    EpochSecrets = 12,
    EpochKeyPairs = 13,
    SignatureKeyPair = 14,
    EncryptionKeyPair = 15,
    KeyPackage = 16,
    Psk = 17,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("MLS state cannot be written: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    #[error("MLS state cannot be read: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    #[error("MLS state of the unknown format {0:?}")]
    Format(Option<u8>),
}

/// OpenMLS's view of the database, for one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storage<'a>(pub(super) &'a Connection);

/// For what belongs to no group.
const NO_GROUP: &[u8] = &[];
const NO_KEY: &[u8] = &[];

/// The bytes of a key. It holds ids and public keys only, and is never read back.
pub(super) fn key_bytes(key: &impl Serialize) -> Result<Vec<u8>, StorageError> {
    let mut out = Vec::with_capacity(48);
    key.serialize(&mut rmp_serde::Serializer::new(&mut out).with_bytes(rmp_serde::config::BytesMode::ForceAll))?;
    Ok(out)
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, StorageError> {
    let mut out = vec![FORMAT];
    let mut serializer =
        rmp_serde::Serializer::new(&mut out).with_struct_map().with_bytes(rmp_serde::config::BytesMode::ForceAll);
    value.serialize(&mut serializer)?;
    Ok(out)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StorageError> {
    match bytes.split_first() {
        Some((&FORMAT, value)) => Ok(rmp_serde::from_slice(value)?),
        other => Err(StorageError::Format(other.map(|(format, _)| *format))),
    }
}

impl Storage<'_> {
    fn put(&self, kind: Kind, group: &[u8], key: &[u8], value: &impl Serialize) -> Result<(), StorageError> {
        self.0
            .prepare_cached(
                "INSERT INTO mls_state (kind, group_id, key, value) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET value = excluded.value",
            )?
            .execute(params![kind as u8, group, key, encode(value)?])?;
        Ok(())
    }

    fn get<T: DeserializeOwned>(&self, kind: Kind, group: &[u8], key: &[u8]) -> Result<Option<T>, StorageError> {
        let value: Option<Vec<u8>> = self
            .0
            .prepare_cached("SELECT value FROM mls_state WHERE kind = ?1 AND group_id = ?2 AND key = ?3")?
            .query_row(params![kind as u8, group, key], |row| row.get(0))
            .optional()?;
        value.map(|bytes| decode(&bytes)).transpose()
    }

    fn remove(&self, kind: Kind, group: &[u8], key: &[u8]) -> Result<(), StorageError> {
        self.0
            .prepare_cached("DELETE FROM mls_state WHERE kind = ?1 AND group_id = ?2 AND key = ?3")?
            .execute(params![kind as u8, group, key])?;
        Ok(())
    }

    fn remove_all(&self, kind: Kind, group: &[u8]) -> Result<(), StorageError> {
        self.0
            .prepare_cached("DELETE FROM mls_state WHERE kind = ?1 AND group_id = ?2")?
            .execute(params![kind as u8, group])?;
        Ok(())
    }

    /// Everything of a group, also what a half-made or broken one left behind.
    pub(super) fn remove_group(&self, group: &impl Serialize) -> Result<(), StorageError> {
        self.0.prepare_cached("DELETE FROM mls_state WHERE group_id = ?1")?.execute([key_bytes(group)?])?;
        Ok(())
    }

    /// Values of a kind in the order in which they came.
    fn list(&self, kind: Kind, group: &[u8]) -> Result<Vec<Vec<u8>>, StorageError> {
        let mut statement =
            self.0.prepare_cached("SELECT value FROM mls_state WHERE kind = ?1 AND group_id = ?2 ORDER BY rowid")?;
        let rows = statement.query_map(params![kind as u8, group], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// A value of which each group has one.
macro_rules! of_group {
    ($kind:ident, $value:ident, $($write:ident, $read:ident)?, $($delete:ident)?) => {
        $(
            fn $write<G: traits::GroupId<CURRENT_VERSION>, V: traits::$value<CURRENT_VERSION>>(
                &self,
                group_id: &G,
                value: &V,
            ) -> Result<(), StorageError> {
                self.put(Kind::$kind, &key_bytes(group_id)?, NO_KEY, value)
            }

            fn $read<G: traits::GroupId<CURRENT_VERSION>, V: traits::$value<CURRENT_VERSION>>(
                &self,
                group_id: &G,
            ) -> Result<Option<V>, StorageError> {
                self.get(Kind::$kind, &key_bytes(group_id)?, NO_KEY)
            }
        )?
        $(
            fn $delete<G: traits::GroupId<CURRENT_VERSION>>(&self, group_id: &G) -> Result<(), StorageError> {
                self.remove(Kind::$kind, &key_bytes(group_id)?, NO_KEY)
            }
        )?
    };
}

/// A value that is found by a key of its own.
macro_rules! by_key {
    ($kind:ident, $key:ident, $value:ident, $write:ident, $delete:ident) => {
        fn $write<K: traits::$key<CURRENT_VERSION>, V: traits::$value<CURRENT_VERSION>>(
            &self,
            key: &K,
            value: &V,
        ) -> Result<(), StorageError> {
            self.put(Kind::$kind, NO_GROUP, &key_bytes(key)?, value)
        }

        fn $delete<K: traits::$key<CURRENT_VERSION>>(&self, key: &K) -> Result<(), StorageError> {
            self.remove(Kind::$kind, NO_GROUP, &key_bytes(key)?)
        }
    };
}

impl StorageProvider<CURRENT_VERSION> for Storage<'_> {
    type Error = StorageError;

    of_group!(JoinConfig, MlsGroupJoinConfig, write_mls_join_config, mls_group_join_config, delete_group_config);
    of_group!(Tree, TreeSync, write_tree, tree, delete_tree);
    of_group!(
        TranscriptHash,
        InterimTranscriptHash,
        write_interim_transcript_hash,
        interim_transcript_hash,
        delete_interim_transcript_hash
    );
    of_group!(Context, GroupContext, write_context, group_context, delete_context);
    of_group!(ConfirmationTag, ConfirmationTag, write_confirmation_tag, confirmation_tag, delete_confirmation_tag);
    of_group!(MessageSecrets, MessageSecrets, write_message_secrets, message_secrets, delete_message_secrets);
    of_group!(
        ResumptionPsks,
        ResumptionPskStore,
        write_resumption_psk_store,
        resumption_psk_store,
        delete_all_resumption_psk_secrets
    );
    of_group!(OwnLeafIndex, LeafNodeIndex, write_own_leaf_index, own_leaf_index, delete_own_leaf_index);
    of_group!(
        EpochSecrets,
        GroupEpochSecrets,
        write_group_epoch_secrets,
        group_epoch_secrets,
        delete_group_epoch_secrets
    );
    of_group!(GroupState, GroupState, , delete_group_state);

    fn write_group_state<V: traits::GroupState<CURRENT_VERSION>, G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group_id: &G,
        value: &V,
    ) -> Result<(), StorageError> {
        self.put(Kind::GroupState, &key_bytes(group_id)?, NO_KEY, value)
    }

    fn group_state<V: traits::GroupState<CURRENT_VERSION>, G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group_id: &G,
    ) -> Result<Option<V>, StorageError> {
        self.get(Kind::GroupState, &key_bytes(group_id)?, NO_KEY)
    }

    // Own leaf nodes belong to update proposals, of which there is at most one in an epoch; each gets a row.

    fn append_own_leaf_node<G: traits::GroupId<CURRENT_VERSION>, V: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        group_id: &G,
        value: &V,
    ) -> Result<(), StorageError> {
        let group = key_bytes(group_id)?;
        let position = self.list(Kind::OwnLeafNodes, &group)?.len() as u64;
        self.put(Kind::OwnLeafNodes, &group, &position.to_be_bytes(), value)
    }

    fn own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>, V: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        group_id: &G,
    ) -> Result<Vec<V>, StorageError> {
        self.list(Kind::OwnLeafNodes, &key_bytes(group_id)?)?.iter().map(|bytes| decode(bytes)).collect()
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>>(&self, group_id: &G) -> Result<(), StorageError> {
        self.remove_all(Kind::OwnLeafNodes, &key_bytes(group_id)?)
    }

    // A proposal is stored together with its reference.

    fn queue_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        V: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group_id: &G,
        proposal_ref: &R,
        proposal: &V,
    ) -> Result<(), StorageError> {
        self.put(Kind::Proposal, &key_bytes(group_id)?, &key_bytes(proposal_ref)?, &(proposal_ref, proposal))
    }

    fn queued_proposal_refs<G: traits::GroupId<CURRENT_VERSION>, R: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        group_id: &G,
    ) -> Result<Vec<R>, StorageError> {
        let rows = self.list(Kind::Proposal, &key_bytes(group_id)?)?;
        rows.iter().map(|bytes| decode::<(R, serde::de::IgnoredAny)>(bytes).map(|(reference, _)| reference)).collect()
    }

    fn queued_proposals<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        V: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group_id: &G,
    ) -> Result<Vec<(R, V)>, StorageError> {
        self.list(Kind::Proposal, &key_bytes(group_id)?)?.iter().map(|bytes| decode(bytes)).collect()
    }

    fn remove_proposal<G: traits::GroupId<CURRENT_VERSION>, R: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        group_id: &G,
        proposal_ref: &R,
    ) -> Result<(), StorageError> {
        self.remove(Kind::Proposal, &key_bytes(group_id)?, &key_bytes(proposal_ref)?)
    }

    fn clear_proposal_queue<G: traits::GroupId<CURRENT_VERSION>, R: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        group_id: &G,
    ) -> Result<(), StorageError> {
        self.remove_all(Kind::Proposal, &key_bytes(group_id)?)
    }

    // Private keys of the tree, for each epoch.

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        V: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group_id: &G,
        epoch: &E,
        leaf_index: u32,
        key_pairs: &[V],
    ) -> Result<(), StorageError> {
        self.put(Kind::EpochKeyPairs, &key_bytes(group_id)?, &key_bytes(&(epoch, leaf_index))?, &key_pairs)
    }

    fn encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        V: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group_id: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<Vec<V>, StorageError> {
        let pairs = self.get(Kind::EpochKeyPairs, &key_bytes(group_id)?, &key_bytes(&(epoch, leaf_index))?)?;
        Ok(pairs.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<G: traits::GroupId<CURRENT_VERSION>, E: traits::EpochKey<CURRENT_VERSION>>(
        &self,
        group_id: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<(), StorageError> {
        self.remove(Kind::EpochKeyPairs, &key_bytes(group_id)?, &key_bytes(&(epoch, leaf_index))?)
    }

    by_key!(KeyPackage, HashReference, KeyPackage, write_key_package, delete_key_package);
    by_key!(Psk, PskId, PskBundle, write_psk, delete_psk);
    by_key!(EncryptionKeyPair, EncryptionKey, HpkeKeyPair, write_encryption_key_pair, delete_encryption_key_pair);
    by_key!(
        SignatureKeyPair,
        SignaturePublicKey,
        SignatureKeyPair,
        write_signature_key_pair,
        delete_signature_key_pair
    );

    fn signature_key_pair<
        K: traits::SignaturePublicKey<CURRENT_VERSION>,
        V: traits::SignatureKeyPair<CURRENT_VERSION>,
    >(
        &self,
        key: &K,
    ) -> Result<Option<V>, StorageError> {
        self.get(Kind::SignatureKeyPair, NO_GROUP, &key_bytes(key)?)
    }

    fn encryption_key_pair<V: traits::HpkeKeyPair<CURRENT_VERSION>, K: traits::EncryptionKey<CURRENT_VERSION>>(
        &self,
        key: &K,
    ) -> Result<Option<V>, StorageError> {
        self.get(Kind::EncryptionKeyPair, NO_GROUP, &key_bytes(key)?)
    }

    fn key_package<K: traits::HashReference<CURRENT_VERSION>, V: traits::KeyPackage<CURRENT_VERSION>>(
        &self,
        key: &K,
    ) -> Result<Option<V>, StorageError> {
        self.get(Kind::KeyPackage, NO_GROUP, &key_bytes(key)?)
    }

    fn psk<V: traits::PskBundle<CURRENT_VERSION>, K: traits::PskId<CURRENT_VERSION>>(
        &self,
        key: &K,
    ) -> Result<Option<V>, StorageError> {
        self.get(Kind::Psk, NO_GROUP, &key_bytes(key)?)
    }
}
