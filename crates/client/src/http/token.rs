//! The access token: fetched anew before it expires, and when the server does not take it any more.
//!
//! The server rotates the refresh token with each use, and gives the same new one again until its access token was
//! used. So an answer that got lost is asked for again with the old refresh token, and what came is in the database
//! before it is used.

use super::{Answer, Failure, ask_unsigned, form, read, why};
use crate::memory::Purpose;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use tidings_proto::http::Tokens;
use tidings_proto::problem::Code;

/// A token is not used any more so long before it expires, or after three quarters of its life if that is later.
const REFRESH_AHEAD_MS: u64 = 60_000;

/// A longer life is not believed.
const LIFE_MAX_S: u64 = 365 * 24 * 3600;

/// The access token, unless it has (almost) expired.
pub(crate) fn fresh(step: &Step<'_>) -> Result<Option<String>, Stop> {
    if step.now_ms >= fresh_until_ms(step)? {
        return Ok(None);
    }
    Ok(setting::get(step.tx, Setting::AccessToken)?)
}

pub(crate) fn fresh_until_ms(step: &Step<'_>) -> Result<u64, Stop> {
    Ok(setting::get(step.tx, Setting::AccessFreshUntilMs)?.unwrap_or(0))
}

/// Asks for a new one, unless that is under way.
pub(crate) fn refresh(step: &mut Step<'_>) -> Done {
    if step.mem.requests.is_open(|purpose| *purpose == Purpose::Refresh) {
        return Ok(());
    }
    let Some(token) = setting::get::<String>(step.tx, Setting::RefreshToken)? else { return Ok(()) };
    let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let proof = step.mem.me.as_ref().map(|me| me.mls.prove_refresh(&token));
    fields.extend(proof.iter().map(|proof| ("proof", proof.as_str())));
    let body = form(&fields);
    ask_unsigned(step, Purpose::Refresh, "/v1/oauth/token", body)
}

/// The server does not take it.
pub(crate) fn forget_access(step: &Step<'_>) -> Done {
    Ok(setting::put(step.tx, Setting::AccessFreshUntilMs, 0)?)
}

pub(crate) fn store(step: &Step<'_>, tokens: &Tokens) -> Done {
    setting::put(step.tx, Setting::AccessToken, &tokens.access_token)?;
    let life_ms = tokens.expires_in.min(LIFE_MAX_S) * 1_000;
    let fresh_ms = life_ms - REFRESH_AHEAD_MS.min(life_ms / 4);
    setting::put(step.tx, Setting::AccessFreshUntilMs, step.now_ms + fresh_ms)?;
    Ok(setting::put(step.tx, Setting::RefreshToken, &tokens.refresh_token)?)
}

/// `Ok(Err)`: there is no token for now.
pub(crate) fn refreshed(step: &Step<'_>, answer: Answer) -> Result<Result<(), Failure>, Stop> {
    match read::<Tokens>(answer) {
        Ok(tokens) => {
            store(step, &tokens)?;
            Ok(Ok(()))
        }
        Err(failure) if matches!(failure.code(), Some(Code::InvalidGrant | Code::LoggedOut)) => {
            Err(Stop::LoggedOut { why: why::<()>(&Err(failure)) })
        }
        Err(failure) => Ok(Err(failure)),
    }
}
