//! From bytes to OpenMLS, and back.

use super::Refusal;
use super::{CIPHERSUITE, storage::Nothing};
use openmls::group::ProposalStore;
use openmls::prelude::group_info::VerifiableGroupInfo;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, Credential as LeafCredential, CredentialType, Extension, ExtensionType, Extensions, GroupContext,
    MlsMessageBodyIn, MlsMessageIn, ProtocolMessage, PublicGroup, RatchetTreeIn,
};
use openmls_rust_crypto::RustCrypto;
use tidings_proto::credential::Credential;
use tidings_proto::group::{EXTENSION_TYPE, GroupRules};
use tidings_proto::id::ConversationId;
use tidings_proto::limit::{COMMIT_MAX_BYTES, RULES_MAX_BYTES};

/// A conversation's MLS group: its id and generation 0.
pub(super) fn group_id(conversation: ConversationId) -> Vec<u8> {
    [conversation.as_bytes().as_slice(), &[0; 4]].concat()
}

pub(super) fn commit(bytes: &[u8]) -> Result<ProtocolMessage, Refusal> {
    match MlsMessageIn::tls_deserialize_exact(bytes).map_err(Refusal::invalid)?.extract() {
        MlsMessageBodyIn::PublicMessage(message) => Ok(message.into()),
        _ => Err(Refusal::invalid("it is no PublicMessage")),
    }
}

pub(super) fn group_info(bytes: &[u8]) -> Result<VerifiableGroupInfo, Refusal> {
    match MlsMessageIn::tls_deserialize_exact(bytes).map_err(Refusal::invalid)?.extract() {
        MlsMessageBodyIn::GroupInfo(info) => Ok(info),
        _ => Err(Refusal::invalid("it is no GroupInfo")),
    }
}

pub(super) fn tree(bytes: &[u8]) -> Result<RatchetTreeIn, Refusal> {
    RatchetTreeIn::tls_deserialize_exact(bytes).map_err(Refusal::invalid)
}

pub(super) fn tree_bytes(group: &PublicGroup) -> Result<Vec<u8>, Refusal> {
    let bytes = group.export_ratchet_tree().tls_serialize_detached().map_err(Refusal::invalid)?;
    if bytes.len() > COMMIT_MAX_BYTES {
        return Err(Refusal::invalid("the group's ratchet tree becomes too large"));
    }
    Ok(bytes)
}

/// The group as a GroupInfo and a tree say, which have to agree in all that can be checked.
pub(super) fn public_group(
    crypto: &RustCrypto,
    conversation: ConversationId,
    info: VerifiableGroupInfo,
    tree: RatchetTreeIn,
) -> Result<PublicGroup, Refusal> {
    if info.ciphersuite() != CIPHERSUITE {
        return Err(Refusal::invalid("another ciphersuite"));
    }
    if info.group_id().as_slice() != group_id(conversation) {
        return Err(Refusal::invalid("the MLS group's id is not the conversation's"));
    }
    let (group, _) = PublicGroup::from_external(crypto, &Nothing, tree, info, ProposalStore::new())
        .map_err(|error| Refusal::invalid(format!("{error:?}")))?;
    Ok(group)
}

/// The rules in a GroupContext, which has them and the capability that they need, and nothing else.
pub(super) fn rules(extensions: &Extensions<GroupContext>) -> Result<GroupRules, Refusal> {
    let (mut rules, mut required) = (None, false);
    for extension in extensions.iter() {
        match extension {
            Extension::Unknown(EXTENSION_TYPE, data) if data.0.len() <= RULES_MAX_BYTES => {
                rules = Some(GroupRules::decode(&data.0).map_err(Refusal::invalid)?);
            }
            Extension::RequiredCapabilities(capabilities)
                if capabilities.extension_types() == [ExtensionType::Unknown(EXTENSION_TYPE)]
                    && capabilities.proposal_types().is_empty()
                    && capabilities.credential_types().is_empty() =>
            {
                required = true;
            }
            _ => {
                return Err(Refusal::invalid(
                    "a GroupContext has the rules, the capability they need, and nothing else",
                ));
            }
        }
    }
    match rules {
        Some(rules) if required => Ok(rules),
        _ => Err(Refusal::invalid("the GroupContext lacks the rules, or the capability they need")),
    }
}

/// The bytes of a leaf's credential.
pub(super) fn credential_bytes(leaf: &LeafCredential) -> Result<Vec<u8>, Refusal> {
    if leaf.credential_type() != CredentialType::Basic {
        return Err(Refusal::invalid("a credential of an unknown type"));
    }
    Ok(BasicCredential::try_from(leaf.clone()).map_err(Refusal::invalid)?.identity().to_vec())
}

/// The credential of a leaf, which must vouch for the leaf's signature key.
pub(super) fn credential(leaf: &LeafCredential, signature_key: &[u8]) -> Result<Credential, Refusal> {
    let credential = Credential::verify(&credential_bytes(leaf)?).map_err(Refusal::invalid)?;
    if credential.signature_key != signature_key {
        return Err(Refusal::invalid("a leaf has a key that its credential does not name"));
    }
    Ok(credential)
}
