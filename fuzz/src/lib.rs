//! What the targets share: the laws that hold for every decoder.

pub mod bodies;
#[cfg(feature = "client")]
pub mod mls;
pub mod sample;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_proto::codec::Format;

/// Whatever decodes means one thing: written out and read again it is the same. Bytes that do not decode are an error
/// and never a panic.
pub fn same_after_a_round_trip<T>(format: Format, bytes: &[u8])
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    if let Ok(value) = format.decode::<T>(bytes) {
        let written = format.encode(&value);
        let again = format.decode::<T>(&written).expect("what we wrote ourselves decodes");
        assert_eq!(again, value, "a value changed on its way through {format:?}");
    }
}
