//! Frames from clients. The CBOR of the two that every message causes, `append` and `cursor`, is read by hand, several
//! times as fast as by serde; whatever is not of the plain form goes to serde, which has the last word.

use bytes::Bytes;
use tidings_proto::codec::{DecodeError, Format};
use tidings_proto::frame::{Append, ClientFrame};
use tidings_proto::payload::Payload;

/// Payloads from this size on share the connection's read buffer; smaller ones are copied, so that they do not keep it.
const SHARED_MIN_BYTES: usize = 1_024;

pub fn frame(format: Format, bytes: &Bytes) -> Result<ClientFrame, DecodeError> {
    if format == Format::Cbor
        && let Some(frame) = plain(bytes)
    {
        return Ok(frame);
    }
    format.decode(bytes)
}

fn plain(bytes: &Bytes) -> Option<ClientFrame> {
    let mut cbor = Cbor { bytes, at: 0 };
    if cbor.map()? != 1 {
        return None;
    }
    let frame = match cbor.text()? {
        b"append" => append(&mut cbor)?,
        b"cursor" => cursor(&mut cbor)?,
        _ => return None,
    };
    (cbor.at == bytes.len()).then_some(frame)
}

fn append(cbor: &mut Cbor<'_>) -> Option<ClientFrame> {
    let (mut conversation, mut message_id, mut epoch, mut payload) = (None, None, None, None);
    let (mut silent, mut expires_in_s) = (None, None);
    for _ in 0..cbor.map()? {
        // A name that comes twice is an error, and so not for here.
        let twice = match cbor.text()? {
            b"conversation" => conversation.replace(cbor.id()?).is_some(),
            b"message_id" => message_id.replace(cbor.id()?).is_some(),
            b"epoch" => epoch.replace(cbor.unsigned()?).is_some(),
            b"payload" => payload.replace(cbor.payload()?).is_some(),
            b"silent" => silent.replace(cbor.bool()?).is_some(),
            b"expires_in_s" => expires_in_s.replace(cbor.unsigned()?).is_some(),
            _ => return None,
        };
        if twice {
            return None;
        }
    }
    Some(ClientFrame::Append(Append {
        conversation: tidings_proto::id::ConversationId::from_bytes(conversation?),
        message_id: tidings_proto::id::MessageId::from_bytes(message_id?),
        epoch: epoch?,
        payload: payload?,
        silent: silent.unwrap_or(false),
        expires_in_s,
    }))
}

fn cursor(cbor: &mut Cbor<'_>) -> Option<ClientFrame> {
    let (mut log, mut seq) = (None, None);
    for _ in 0..cbor.map()? {
        let twice = match cbor.text()? {
            b"log" => log.replace(cbor.id()?).is_some(),
            b"seq" => seq.replace(cbor.unsigned()?).is_some(),
            _ => return None,
        };
        if twice {
            return None;
        }
    }
    Some(ClientFrame::Cursor { log: tidings_proto::id::LogId::from_bytes(log?), seq: seq? })
}

/// Reads items of definite length (RFC 8949 section 3); `None` for everything else.
struct Cbor<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Cbor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    /// The argument of an item of this major type.
    fn head(&mut self, major: u8) -> Option<u64> {
        let first = self.take(1)?[0];
        if first >> 5 != major {
            return None;
        }
        Some(match first & 0x1f {
            small @ 0..24 => u64::from(small),
            24 => u64::from(self.take(1)?[0]),
            25 => u64::from(u16::from_be_bytes(self.take(2)?.try_into().ok()?)),
            26 => u64::from(u32::from_be_bytes(self.take(4)?.try_into().ok()?)),
            27 => u64::from_be_bytes(self.take(8)?.try_into().ok()?),
            _ => return None,
        })
    }

    fn unsigned(&mut self) -> Option<u64> {
        self.head(0)
    }

    fn map(&mut self) -> Option<u64> {
        self.head(5)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.head(3)?.try_into().ok()?;
        self.take(length)
    }

    fn id(&mut self) -> Option<[u8; 16]> {
        match self.head(2)? {
            16 => self.take(16)?.try_into().ok(),
            _ => None,
        }
    }

    fn payload(&mut self) -> Option<Payload> {
        let length = self.head(2)?.try_into().ok()?;
        let bytes = self.take(length)?;
        Some(Payload(if length < SHARED_MIN_BYTES {
            Bytes::copy_from_slice(bytes)
        } else {
            self.bytes.slice_ref(bytes)
        }))
    }

    fn bool(&mut self) -> Option<bool> {
        match self.take(1)?[0] {
            0xf4 => Some(false),
            0xf5 => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidings_proto::id::{ConversationId, LogId, MessageId};

    fn frames() -> impl Strategy<Value = ClientFrame> {
        let bytes = prop::collection::vec(any::<u8>(), 0..2_000);
        let append = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<u64>(), bytes, any::<bool>(), any::<Option<u64>>());
        prop_oneof![
            append.prop_map(|(conversation, message_id, epoch, payload, silent, expires_in_s)| {
                let conversation = ConversationId::from_bytes(conversation);
                let (message_id, payload) = (MessageId::from_bytes(message_id), payload.into());
                ClientFrame::Append(Append { conversation, message_id, epoch, payload, silent, expires_in_s })
            }),
            (any::<[u8; 16]>(), any::<u64>())
                .prop_map(|(log, seq)| ClientFrame::Cursor { log: LogId::from_bytes(log), seq }),
        ]
    }

    proptest! {
        #[test]
        fn the_short_way_reads_what_serde_reads(frame in frames()) {
            let bytes = Format::Cbor.encode(&frame);
            prop_assert_eq!(plain(&bytes), Some(frame));
        }

        #[test]
        fn what_the_short_way_takes_serde_takes_alike(
            frame in frames(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: prop::sample::Index,
        ) {
            let mut bytes = Format::Cbor.encode(&frame).to_vec();
            for (at, to) in flips {
                // Most of what matters stands at the beginning.
                let at = at.index(bytes.len().min(90));
                bytes[at] = to;
            }
            if cut.index(4) == 0 {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Some(frame) = plain(&bytes.clone().into()) {
                prop_assert_eq!(Format::Cbor.decode::<ClientFrame>(&bytes).ok(), Some(frame));
            }
        }
    }
}
