//! A picture's file, and taking a picture away.

use crate::failure::Failure;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tidings_client::ClientError;
use tidings_client::content::PICTURE_MAX_BYTES;
use tidings_proto::payload::Payload;

/// No more of the file than a picture may have.
pub fn read(file: &Path) -> Result<Payload, Failure> {
    let mut bytes = Vec::new();
    File::open(file)?.take(PICTURE_MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > PICTURE_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: bytes.len(), max: PICTURE_MAX_BYTES }.into());
    }
    if bytes.is_empty() {
        return Err(Failure::new("the file is empty"));
    }
    Ok(bytes.into())
}

pub fn none() -> Payload {
    Vec::new().into()
}
