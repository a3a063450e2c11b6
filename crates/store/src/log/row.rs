//! Keys and values of the log's rows. All numbers are big-endian, so that bytes order as numbers do.

use super::{Head, Sent};
use crate::error::StoreError;
use bytes::{BufMut, Bytes, BytesMut};
use tidings_proto::id::{DeviceId, LogId, MessageId};

pub const HEAD_HINT: &[u8] = b"head";
pub const OLDEST_HINT: &[u8] = b"oldest";

/// Version of the stored form of a head.
const HEAD_VERSION: u8 = 1;

pub fn partition(log: LogId, bucket: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(log.as_bytes());
    key[16..].copy_from_slice(&bucket.to_be_bytes());
    key
}

pub fn sent(message_id: MessageId, device: DeviceId) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(message_id.as_bytes());
    key[16..].copy_from_slice(device.as_bytes());
    key
}

pub fn encode_head(head: &Head) -> Bytes {
    let mut out = BytesMut::with_capacity(1 + 5 * 8);
    out.put_u8(HEAD_VERSION);
    for number in [head.seq, head.epoch, head.time_ms, head.commit_seq, head.ordinal] {
        out.put_u64(number);
    }
    out.freeze()
}

pub fn decode_head(value: &[u8]) -> Result<Head, StoreError> {
    match value.split_first() {
        Some((&HEAD_VERSION, numbers)) => {
            let [seq, epoch, time_ms, commit_seq, ordinal] = decode_numbers(numbers)?;
            Ok(Head { seq, epoch, time_ms, commit_seq, ordinal })
        }
        Some((version, _)) => Err(StoreError::Damaged(format!("head of unknown version {version}"))),
        None => Err(StoreError::Damaged("head is empty".into())),
    }
}

pub fn encode_sent(sent: &Sent) -> Bytes {
    let mut out = BytesMut::with_capacity(2 * 8);
    out.put_u64(sent.seq);
    out.put_u64(sent.time_ms);
    out.freeze()
}

pub fn decode_sent(value: &[u8]) -> Result<Sent, StoreError> {
    let [seq, time_ms] = decode_numbers(value)?;
    Ok(Sent { seq, time_ms })
}

pub fn decode_u64(value: &[u8]) -> Result<u64, StoreError> {
    let [number] = decode_numbers(value)?;
    Ok(number)
}

fn decode_numbers<const N: usize>(bytes: &[u8]) -> Result<[u64; N], StoreError> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    match <[[u8; 8]; N]>::try_from(numbers) {
        Ok(numbers) if rest.is_empty() => Ok(numbers.map(u64::from_be_bytes)),
        _ => Err(StoreError::Damaged(format!("{} bytes where {N} numbers belong", bytes.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_stored_rows_of_a_log_do_not_change() {
        let head = Head { seq: 1, epoch: 2, time_ms: 1_700_000_000_000, commit_seq: 4, ordinal: 5 };
        let sent_row = Sent { seq: 6, time_ms: 1_700_000_000_007 };
        let (log, message) = (LogId::from_bytes([1; 16]), MessageId::new(1_700_000_000_000, [5; 10]));
        insta::assert_snapshot!("head", hex(&encode_head(&head)));
        insta::assert_snapshot!("sent", hex(&encode_sent(&sent_row)));
        insta::assert_snapshot!("partition", hex(&partition(log, 258)));
        insta::assert_snapshot!("sent_key", hex(&sent(message, DeviceId::from_bytes([3; 16]))));
        assert_eq!(decode_head(&encode_head(&head)), Ok(head));
        assert_eq!(decode_sent(&encode_sent(&sent_row)), Ok(sent_row));
    }

    #[test]
    fn damaged_rows_are_told_apart() {
        let head = encode_head(&Head::default());
        for damaged in [&b""[..], &head[..40], &[&head[..], &[0]].concat(), &[&[9], &head[1..]].concat()] {
            assert!(matches!(decode_head(damaged), Err(StoreError::Damaged(_))), "{damaged:?}");
        }
        assert!(matches!(decode_u64(&[0; 7]), Err(StoreError::Damaged(_))));
        assert!(matches!(decode_sent(&[0; 8]), Err(StoreError::Damaged(_))));
    }
}
