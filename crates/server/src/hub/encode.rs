//! The CBOR of the two frames that every message causes, written by hand: serde takes ten times as long.

use bytes::{BufMut, Bytes, BytesMut};
use tidings_proto::frame::Watermark;
use tidings_proto::id::{ConversationId, MessageId};

/// More than either frame takes.
const FRAME_MAX_BYTES: usize = 160;

/// RFC 8949 section 3: major types, in the upper three bits.
const UNSIGNED: u8 = 0 << 5;
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;

/// `ServerFrame::Appended`
pub fn appended(conversation: ConversationId, message_id: MessageId, seq: u64, time_ms: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(FRAME_MAX_BYTES);
    out.put_u8(MAP | 1);
    put_text(&mut out, "appended");
    out.put_u8(MAP | 4);
    put_text(&mut out, "conversation");
    put_id(&mut out, conversation.as_bytes());
    put_text(&mut out, "message_id");
    put_id(&mut out, message_id.as_bytes());
    put_text(&mut out, "seq");
    put_u64(&mut out, seq);
    put_text(&mut out, "time_ms");
    put_u64(&mut out, time_ms);
    out.freeze()
}

/// `ServerFrame::Receipts` with one watermark.
pub fn receipt(conversation: ConversationId, watermark: Watermark) -> Bytes {
    let mut out = BytesMut::with_capacity(FRAME_MAX_BYTES);
    out.put_u8(MAP | 1);
    put_text(&mut out, "receipts");
    out.put_u8(MAP | 2);
    put_text(&mut out, "conversation");
    put_id(&mut out, conversation.as_bytes());
    put_text(&mut out, "watermarks");
    out.put_u8(ARRAY | 1);
    out.put_u8(MAP | 4);
    put_text(&mut out, "account");
    put_id(&mut out, watermark.account.as_bytes());
    put_text(&mut out, "delivered");
    put_u64(&mut out, watermark.delivered);
    put_text(&mut out, "read");
    put_u64(&mut out, watermark.read);
    put_text(&mut out, "time_ms");
    put_u64(&mut out, watermark.time_ms);
    out.freeze()
}

/// Shorter than 24 bytes, as all names here.
fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u8(TEXT | text.len() as u8);
    out.put_slice(text.as_bytes());
}

fn put_id(out: &mut BytesMut, id: &[u8; 16]) {
    out.put_u8(BYTES | 16);
    out.put_slice(id);
}

fn put_u64(out: &mut BytesMut, number: u64) {
    match number {
        0..24 => out.put_u8(UNSIGNED | number as u8),
        24..0x100 => out.put_slice(&[UNSIGNED | 24, number as u8]),
        0x100..0x1_0000 => {
            out.put_u8(UNSIGNED | 25);
            out.put_u16(number as u16);
        }
        0x1_0000..0x1_0000_0000 => {
            out.put_u8(UNSIGNED | 26);
            out.put_u32(number as u32);
        }
        _ => {
            out.put_u8(UNSIGNED | 27);
            out.put_u64(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidings_proto::codec::Format;
    use tidings_proto::frame::ServerFrame;
    use tidings_proto::id::AccountId;

    /// Numbers around the lengths of their encodings.
    fn number() -> impl Strategy<Value = u64> {
        (0..64_u32, -2..=2_i64).prop_map(|(bit, near)| (1_u64 << bit).wrapping_add_signed(near))
    }

    proptest! {
        #[test]
        fn they_are_what_serde_would_write(id: [u8; 16], other: [u8; 16], one in number(), two in number()) {
            let (conversation, message_id) = (ConversationId::from_bytes(id), MessageId::from_bytes(other));
            let frame = ServerFrame::Appended { conversation, message_id, seq: one, time_ms: two };
            prop_assert_eq!(appended(conversation, message_id, one, two), Format::Cbor.encode(&frame));
            let watermark = Watermark { account: AccountId::from_bytes(other), delivered: one, read: two, time_ms: one };
            let frame = ServerFrame::Receipts { conversation, watermarks: vec![watermark] };
            prop_assert_eq!(receipt(conversation, watermark), Format::Cbor.encode(&frame));
        }
    }
}
