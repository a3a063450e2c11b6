//! What stands inside a message, written by another person's client. Its first 16 bytes are the id that the server gives.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_client::content::Content;
use tidings_proto::id::MessageId;

fuzz_target!(|bytes: &[u8]| {
    let Some((id, content)) = bytes.split_at_checked(16) else { return };
    let id = MessageId::from_slice(id).expect("16 bytes are an id");
    if let Ok(content) = Content::decode(content, id)
        && content != Content::Unknown
    {
        let again = Content::decode(&content.encode(id), id).expect("what we wrote ourselves decodes");
        assert_eq!(again, content);
    }
});
