//! Doors for the fuzz targets (`fuzz/`), to decoders that nobody outside calls: of what a person's other devices write, and of
//! texts that people paste. A seal stands before most of them; here they are held to the same laws as without one.

use crate::archive::cell::Cell;
use crate::archive::chunk::ChunkRef;
use crate::archive::manifest::{Manifest, Next};
use crate::archive::rows::{self, Rows};
use crate::backup::secret::Lock;
use crate::group::invite::Token;
use crate::link::bundle::Bundle;
use crate::link::code::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_proto::backup::{Kdf, SecretKind};
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::id::{AccountId, BlobId, ConversationId, LinkId};

/// Inputs to begin from, in the order of the functions here.
pub fn archive_samples() -> [Vec<u8>; 3] {
    let account = AccountId::from_bytes([1; 16]);
    let chunk = ChunkRef {
        blob: BlobId::from_bytes([2; 16]),
        key: vec![3; 32].into(),
        hash: vec![4; 32].into(),
        bytes: 5,
        messages: 6,
    };
    let rows = Rows {
        table: "message".into(),
        columns: ["conversation", "text", "seq", "note"].map(Into::into).to_vec(),
        rows: vec![vec![Cell::Bytes(vec![7; 16]), Cell::Text("hello".into()), Cell::Integer(-1), Cell::Null]],
    };
    let manifest = Manifest {
        account,
        made_ms: 8,
        identity: Some(vec![9; 32].into()),
        name: Some("Ada".into()),
        chunks: vec![chunk.clone()],
        next: Some(Next { blob: chunk.blob, messages: 10 }),
    };
    let kdf = Kdf { secret: SecretKind::Code, salt: vec![11; 16].into(), memory_kib: 65_536, passes: 3, lanes: 1 };
    let lock = Lock { kdf, wrapped: vec![12; 48].into() };
    [rows::encode(&[rows]), to_cbor(&manifest).to_vec(), to_cbor(&lock).to_vec()]
}

/// An invite, and a code of a new device.
pub fn pasted_samples() -> [String; 2] {
    let token = Token { conversation: ConversationId::from_bytes([0xff; 16]), secret: [1; 32] };
    let code = Code { link: LinkId::from_bytes([1; 16]), secret: [2; 32].into(), public: [3; 32] };
    [token.encode(), code.encode()]
}

/// The plaintext of a chunk of an archive.
pub fn archive_rows(bytes: &[u8]) {
    if let Ok(tables) = rows::decode(bytes) {
        // As bytes, for a number that is none (NaN) does not equal itself.
        let written = rows::encode(&tables);
        let again = rows::decode(&written).expect("what we wrote ourselves decodes");
        assert_eq!(rows::encode(&again), written);
    }
}

pub fn archive_manifest(bytes: &[u8]) {
    same_after_a_round_trip::<Manifest>(bytes);
}

/// Before the secret of a backup is asked for.
pub fn backup_lock(bytes: &[u8]) {
    same_after_a_round_trip::<Lock>(bytes);
}

/// What an old device tells a new one.
pub fn link_bundle(bytes: &[u8]) {
    same_after_a_round_trip::<Bundle>(bytes);
}

/// A code of a new device, or an invite.
pub fn pasted(text: &str) {
    if let Ok(code) = Code::parse(text) {
        let again = Code::parse(&code.encode()).expect("our own code is read");
        assert!((again.link, again.secret, again.public) == (code.link, code.secret, code.public));
    }
    if let Ok(token) = Token::parse(text) {
        let again = Token::parse(&token.encode()).expect("our own invite is read");
        assert!((again.conversation, again.secret) == (token.conversation, token.secret));
    }
}

fn same_after_a_round_trip<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(value) = from_cbor::<T>(bytes) {
        let written = to_cbor(&value);
        let again = from_cbor::<T>(&written).expect("what we wrote ourselves decodes");
        assert_eq!(to_cbor(&again), written);
    }
}
