//! The token that a program shows: in the account's folder, for the account's owner only.

use crate::failure::Failure;
use crate::profile::{Profile, write_private};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use std::path::PathBuf;

const RANDOM_BYTES: usize = 32;

/// The token and where it is. `fresh` makes a new one, and the old one worthless.
pub fn load_or_make(profile: &Profile, fresh: bool) -> Result<(String, PathBuf), Failure> {
    let path = profile.folder.join("agent-token");
    if !fresh && let Ok(token) = std::fs::read_to_string(&path) {
        let token = token.trim().to_owned();
        if token.len() >= RANDOM_BYTES {
            return Ok((token, path));
        }
    }
    let mut random = [0; RANDOM_BYTES];
    rand::rng().fill_bytes(&mut random);
    let token = URL_SAFE_NO_PAD.encode(random);
    write_private(&path, token.as_bytes())?;
    Ok((token, path))
}
