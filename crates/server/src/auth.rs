//! Who is asking: access and refresh tokens, and the check of them.
//!
//! A token is its claims and their HMAC, so the server stores none:
//!
//! ```text
//! "tda_" or "tdr_" then, in base64url: 1 kind | 16 account | 16 device | 8 generation | 8 expiry, seconds | 32 tag
//! ```
//!
//! What makes it die early is the device's row. Log-out deletes the row, and every token of the device is dead at once.
//! Rotation counts the row's `generation` up: tokens of generation n replace those of n-1 when the access token of n is
//! used for the first time (`check` then sets `confirmed`, the only write of an access check, once per generation).
//! Until that moment the answer with n may have been lost on its way, so n-1 stays good: its refresh token gives n
//! again. After it, somebody who shows refresh token n-1 holds a stolen or a restored copy, and the device is logged out.

use crate::directory::{self, Device};
use crate::error::{Error, Result};
use crate::logout;
use crate::secret::TAG_BYTES;
use crate::server::Server;
use crate::stored::{Stored, encode};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tidings_proto::entry::Sender;
use tidings_proto::id::{AccountId, DeviceId};
use tidings_proto::problem::Code;
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Table};

/// How long an access token is good.
pub const ACCESS_LIFETIME_S: u64 = 3_600;

const CLAIM_BYTES: usize = 1 + 16 + 16 + 8 + 8;
/// Longer strings are no token.
const TOKEN_MAX_BYTES: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Access,
    Refresh,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "tda_",
            Self::Refresh => "tdr_",
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Access => 1,
            Self::Refresh => 2,
        }
    }
}

/// What an authentic token says. Whether the device still exists, and which generations are good, its row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    pub kind: Kind,
    pub device: Sender,
    pub generation: u64,
    /// Seconds since 1970. Refresh tokens have no expiry: `u64::MAX`.
    pub expires_s: u64,
}

impl Claims {
    pub fn issue(&self, server: &Server) -> String {
        let mut bytes = self.to_bytes().to_vec();
        let tag = server.secrets.token_tag(&bytes);
        bytes.extend_from_slice(&tag);
        format!("{}{}", self.kind.prefix(), URL_SAFE_NO_PAD.encode(bytes))
    }

    /// `None` if the token was not issued by this server, or is of another kind.
    pub fn read(server: &Server, kind: Kind, token: &str) -> Option<Self> {
        if token.len() > TOKEN_MAX_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(kind.prefix())?).ok()?;
        if bytes.len() != CLAIM_BYTES + TAG_BYTES {
            return None;
        }
        let (claims, tag) = bytes.split_at(CLAIM_BYTES);
        let authentic = bool::from(server.secrets.token_tag(claims).ct_eq(tag));
        if !authentic || claims[0] != kind.byte() {
            return None;
        }
        let number = |at: usize| u64::from_be_bytes(claims[at..at + 8].try_into().expect("the length was checked"));
        let device =
            Sender { account: AccountId::from_slice(&claims[1..17])?, device: DeviceId::from_slice(&claims[17..33])? };
        Some(Self { kind, device, generation: number(33), expires_s: number(41) })
    }

    fn to_bytes(self) -> [u8; CLAIM_BYTES] {
        let mut bytes = [0; CLAIM_BYTES];
        bytes[0] = self.kind.byte();
        bytes[1..17].copy_from_slice(self.device.account.as_bytes());
        bytes[17..33].copy_from_slice(self.device.device.as_bytes());
        bytes[33..41].copy_from_slice(&self.generation.to_be_bytes());
        bytes[41..49].copy_from_slice(&self.expires_s.to_be_bytes());
        bytes
    }
}

/// The device that an access token stands for. For the HTTP API and the socket's hello alike.
pub async fn authenticate(server: &Server, token: &str) -> Result<Sender> {
    let claims = Claims::read(server, Kind::Access, token)
        .ok_or_else(|| Error::new(Code::Unauthorized, "The access token is not valid."))?;
    if server.clock.now_ms() / 1_000 >= claims.expires_s {
        return Err(Error::new(Code::Unauthorized, "The access token has expired; refresh it."));
    }
    let Some(row) = directory::device(&server.store, claims.device).await? else {
        return Err(logout::why(server, claims.device.account).await?);
    };
    check(server, &claims, row).await?;
    Ok(claims.device)
}

/// Whether the generation is good; confirms it if this is its first use.
async fn check(server: &Server, claims: &Claims, mut row: Stored<Device>) -> Result<()> {
    loop {
        let Device { generation, confirmed, .. } = row.value;
        let previous = !confirmed && claims.generation.checked_add(1) == Some(generation);
        if claims.generation != generation {
            return if previous {
                Ok(())
            } else {
                Err(Error::new(Code::Unauthorized, "The access token was replaced by a newer one."))
            };
        }
        if confirmed {
            return Ok(());
        }
        let device = Device { confirmed: true, ..row.value };
        let batch = Batch::new(Family::Account, claims.device.account.as_bytes())
            .assert(Table::Device, claims.device.device.as_bytes(), Assert::Equals(row.bytes))
            .put(Table::Device, claims.device.device.as_bytes(), encode(&device));
        match server.store.commit(batch).await {
            Ok(()) => return Ok(()),
            // Somebody else confirmed it, rotated it or logged it out: look again. Each of these happens once per
            // generation, so this ends.
            Err(CommitError::Conflict(_)) => {
                let Some(now) = directory::device(&server.store, claims.device).await? else {
                    return Err(logout::why(server, claims.device.account).await?);
                };
                row = now;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Extractor: the device that sent this request, by `Authorization: Bearer`.
#[derive(Clone, Copy, Debug)]
pub struct Authenticated(pub Sender);

impl FromRequestParts<Arc<Server>> for Authenticated {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let token = token.ok_or_else(|| {
            Error::new(Code::Unauthorized, "Send the access token as \"Authorization: Bearer <token>\".")
        })?;
        authenticate(server, token).await.map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use proptest::prelude::*;
    use tidings_store::{Clock, Store};

    async fn server() -> Server {
        let clock = Clock::new(|| 1_700_000_000_000);
        Server::open(Config::default(), Store::memory(clock.clone()), clock).await.unwrap()
    }

    fn claims(kind: Kind) -> Claims {
        let device = Sender { account: AccountId::from_bytes([1; 16]), device: DeviceId::from_bytes([2; 16]) };
        Claims { kind, device, generation: 3, expires_s: 1_700_003_600 }
    }

    #[tokio::test]
    async fn a_token_reads_back_and_no_changed_character_does() {
        let server = server().await;
        let token = claims(Kind::Access).issue(&server);
        assert_eq!(Claims::read(&server, Kind::Access, &token), Some(claims(Kind::Access)));
        assert_eq!(Claims::read(&server, Kind::Refresh, &token), None);
        for position in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(Claims::read(&server, Kind::Access, &forged), None, "character {position}");
        }
    }

    #[tokio::test]
    async fn an_access_token_cannot_be_dressed_up_as_a_refresh_token() {
        let server = server().await;
        let token = claims(Kind::Access).issue(&server).replacen("tda_", "tdr_", 1);
        assert_eq!(Claims::read(&server, Kind::Refresh, &token), None);
    }

    #[tokio::test]
    async fn tokens_of_another_server_are_not_valid_here() {
        let token = claims(Kind::Access).issue(&server().await);
        assert_eq!(authenticate(&server().await, &token).await.unwrap_err().code, Code::Unauthorized);
    }

    proptest! {
        #[test]
        fn no_string_from_outside_makes_the_reader_panic(token in "(tda_|tdr_)?[A-Za-z0-9_-]{0,300}") {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let server = runtime.block_on(server());
            prop_assert_eq!(Claims::read(&server, Kind::Access, &token), None);
        }
    }
}
