//! Links that let people in: their text, and the secrets of those that were made here.
//!
//! ```text
//! base64url without padding of: 1 version | 16 conversation | 32 secret
//! ```

use crate::error::ClientError;
use crate::step::{Done, Step, Stop};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_chacha::rand_core::RngCore;
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::group::{Invite, InviteKey};
use tidings_proto::id::ConversationId;

const VERSION: u8 = 1;
const TOKEN_BYTES: usize = 1 + 16 + 32;

/// What a link holds.
#[derive(Clone, Copy)]
pub(crate) struct Token {
    pub conversation: ConversationId,
    pub secret: [u8; 32],
}

impl Token {
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode([&[VERSION][..], self.conversation.as_bytes(), &self.secret].concat())
    }

    /// Reads a token; what stands before it in a link (up to the last `/`, `#` or `=`) does not matter.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::NotAllowed { why: why.into() };
        let token = text.trim().rsplit(['/', '#', '=']).next().unwrap_or_default();
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| wrong("this is no invite: it has signs that an invite does not have"))?;
        match bytes.first() {
            Some(&VERSION) if bytes.len() == TOKEN_BYTES => {}
            Some(&VERSION) => return Err(wrong("this invite is not complete: a part of it is missing, or too much")),
            _ => return Err(wrong("this is no invite, or one that needs a newer version of Tidings")),
        }
        let conversation = ConversationId::from_slice(&bytes[1..17]).expect("the length was checked");
        let secret = bytes[17..].try_into().expect("the length was checked");
        if !conversation.may_be_group() {
            return Err(wrong("this is no invite: it does not name a group"));
        }
        Ok(Self { conversation, secret })
    }
}

/// Makes the secret of a new link, and keeps it.
pub(crate) fn make(
    step: &mut Step<'_>,
    conversation: ConversationId,
    expires_s: Option<u64>,
    approval: bool,
) -> Result<Invite, Stop> {
    let mut secret = [0; 32];
    step.rng.fill_bytes(&mut secret);
    let key = InviteKey::of(&secret);
    step.tx
        .prepare_cached("INSERT INTO invite_secret (conversation, invite, secret) VALUES (?1, ?2, ?3)")?
        .execute(params![conversation.as_bytes(), key.0, secret])?;
    Ok(Invite { key, expires_s, approval })
}

/// The link of an invite, if it was made on this device.
pub(crate) fn token(tx: &Connection, conversation: ConversationId, key: InviteKey) -> Result<Option<String>, Stop> {
    let secret: Option<[u8; 32]> = tx
        .prepare_cached("SELECT secret FROM invite_secret WHERE conversation = ?1 AND invite = ?2")?
        .query_row(params![conversation.as_bytes(), key.0], |row| row.get(0))
        .optional()?;
    Ok(secret.map(|secret| Token { conversation, secret }.encode()))
}

pub(crate) fn forget(tx: &Connection, conversation: ConversationId, key: InviteKey) -> Done {
    tx.prepare_cached("DELETE FROM invite_secret WHERE conversation = ?1 AND invite = ?2")?
        .execute(params![conversation.as_bytes(), key.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_also_from_a_link_and_what_is_wrong_with_it_is_said() {
        let token = Token { conversation: ConversationId::group([3; 16]), secret: [9; 32] };
        let text = token.encode();
        insta::assert_snapshot!(text, @"AQMDAwMDA0MDgwMDAwMDAwMJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQ");
        for text in [text.clone(), format!(" https://example.org/join#{text}\n")] {
            let read = Token::parse(&text).ok().unwrap();
            assert_eq!((read.conversation, read.secret), (token.conversation, token.secret));
        }
        let wrong = [
            ("not a token!", "signs"),
            (&text[..40], "not complete"),
            ("AgMD", "newer version"),
            ("", "newer version"),
        ];
        for (text, expected) in wrong {
            let Err(ClientError::NotAllowed { why }) = Token::parse(text).map(drop) else { panic!("{text}") };
            assert!(why.contains(expected), "{text}: {why}");
        }
    }
}
