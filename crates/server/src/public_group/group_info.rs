//! The GroupInfo beside a commit (RFC 9420 section 12.4.3): of exactly the state that the commit leads to.
//!
//! It is read by hand: OpenMLS checks one only together with a whole tree, which takes a hundred times as long.

use super::Refusal;
use ed25519_dalek::{Signature, VerifyingKey};
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _, VLBytes};

/// RFC 9420 section 6: `ProtocolVersion mls10`, `WireFormat mls_group_info`.
const HEADER: [u8; 4] = [0, 1, 0, 4];
/// Extension type (RFC 9420 section 17.3).
const EXTERNAL_PUB: u16 = 4;
/// An X-Wing public key has 1,216 bytes; a length prefix comes before it.
const EXTERNAL_PUB_MAX_BYTES: usize = 1_224;

/// Checks all but the confirmation tag, which it returns.
pub(super) fn check(bytes: &[u8], context: &[u8], author_leaf: u32, author_key: &[u8; 32]) -> Result<Vec<u8>, Refusal> {
    let signed = bytes.strip_prefix(&HEADER).ok_or_else(|| Refusal::invalid("the GroupInfo is none"))?;
    let mut rest = signed
        .strip_prefix(context)
        .ok_or_else(|| Refusal::invalid("the GroupInfo is of another state of the group"))?;
    check_extensions(vector(&mut rest)?.as_slice())?;
    let confirmation_tag = vector(&mut rest)?.as_slice().to_vec();
    let (signer, mut rest) = rest.split_first_chunk().ok_or_else(cut)?;
    if u32::from_be_bytes(*signer) != author_leaf {
        return Err(Refusal::invalid("the GroupInfo is not signed by the commit's author"));
    }
    let signed = &signed[..signed.len() - rest.len()];
    let signature = vector(&mut rest)?;
    if !rest.is_empty() {
        return Err(Refusal::invalid("something follows the GroupInfo"));
    }
    let key = VerifyingKey::from_bytes(author_key).map_err(Refusal::invalid)?;
    let signature = Signature::from_slice(signature.as_slice()).map_err(Refusal::invalid)?;
    key.verify_strict(&sign_content(signed)?, &signature)
        .map_err(|_| Refusal::invalid("the GroupInfo's signature does not verify"))?;
    Ok(confirmation_tag)
}

/// The external public key, and nothing else: the server has the tree.
fn check_extensions(mut extensions: &[u8]) -> Result<(), Refusal> {
    let (kind, mut data) = extensions.split_first_chunk().ok_or_else(cut)?;
    let key = vector(&mut data)?;
    extensions = data;
    if u16::from_be_bytes(*kind) != EXTERNAL_PUB
        || key.as_slice().len() > EXTERNAL_PUB_MAX_BYTES
        || !extensions.is_empty()
    {
        return Err(Refusal::invalid("a group's GroupInfo has external_pub, and no other extension"));
    }
    Ok(())
}

/// RFC 9420 section 5.1.2.
fn sign_content(content: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = VLBytes::new(b"MLS 1.0 GroupInfoTBS".to_vec()).tls_serialize_detached().map_err(Refusal::invalid)?;
    out.extend(VLBytes::new(content.to_vec()).tls_serialize_detached().map_err(Refusal::invalid)?);
    Ok(out)
}

fn vector(rest: &mut &[u8]) -> Result<VLBytes, Refusal> {
    VLBytes::tls_deserialize(rest).map_err(|_| cut())
}

fn cut() -> Refusal {
    Refusal::invalid("the GroupInfo is cut")
}
