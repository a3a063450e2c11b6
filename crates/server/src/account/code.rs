//! The code that proves a phone number: one valid code per number, used once, five attempts, ten minutes.
//!
//! Stored as a keyed hash. Every attempt is a commit that asserts the row as it was read, so however many arrive at
//! once, at most five are counted and at most one succeeds.

use crate::error::{Error, Result};
use crate::server::Server;
use crate::stored::{self, Stored};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use subtle::ConstantTimeEq;
use tidings_proto::limit::{CODE_ATTEMPTS_MAX, CODE_DIGITS, CODE_LIFETIME_S};
use tidings_proto::problem::Code;
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Table};

/// Version 1 of a row of `Table::Code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    hash: ByteArray<32>,
    /// Wrong attempts so far.
    attempts: u32,
    expires_ms: u64,
}

/// Makes a new code for a number; an older one is void from now on.
pub async fn make(server: &Server, phone_hash: &[u8; 32]) -> Result<String> {
    let number = server.random.below(10_u32.pow(CODE_DIGITS as u32));
    let code = format!("{number:0width$}", width = CODE_DIGITS);
    let expires_ms = server.clock.now_ms() + CODE_LIFETIME_S * 1_000;
    let sent = Sent { hash: server.secrets.code_hash(phone_hash, &code).into(), attempts: 0, expires_ms };
    let batch = Batch::new(Family::Phone, phone_hash).put_until(Table::Code, [], stored::encode(&sent), expires_ms);
    server.store.commit(batch).await?;
    Ok(code)
}

/// Uses up the code of a number, or an attempt. Wrong, expired, used and never sent all look the same.
pub async fn redeem(server: &Server, phone_hash: &[u8; 32], code: &str) -> Result<()> {
    attempt(server, phone_hash, code, false).await
}

/// Uses up an attempt if the code is wrong; if it is right it stays good.
pub async fn check(server: &Server, phone_hash: &[u8; 32], code: &str) -> Result<()> {
    attempt(server, phone_hash, code, true).await
}

async fn attempt(server: &Server, phone_hash: &[u8; 32], code: &str, keep: bool) -> Result<()> {
    let given = server.secrets.code_hash(phone_hash, code);
    // Each turn but the last means that another attempt was counted, and there are only so many.
    for _ in 0..=2 * CODE_ATTEMPTS_MAX {
        let row = server.store.get(&Key::new(Table::Code, phone_hash, [])).await?;
        let Some(row) = row else { return Err(invalid()) };
        let Stored { value: sent, bytes } = stored::decode::<Sent>(Table::Code, row)?;
        let right = bool::from(given.ct_eq(&*sent.hash));
        let alive = server.clock.now_ms() < sent.expires_ms && sent.attempts < CODE_ATTEMPTS_MAX;
        if keep && right && alive {
            return Ok(());
        }
        let batch = Batch::new(Family::Phone, phone_hash).assert(Table::Code, [], Assert::Equals(bytes));
        let batch = if right || !alive || sent.attempts + 1 >= CODE_ATTEMPTS_MAX {
            batch.delete(Table::Code, [])
        } else {
            let wrong = Sent { attempts: sent.attempts + 1, ..sent.clone() };
            batch.put_until(Table::Code, [], stored::encode(&wrong), sent.expires_ms)
        };
        match server.store.commit(batch).await {
            Ok(()) if right && alive => return Ok(()),
            Ok(()) => return Err(invalid()),
            Err(CommitError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(invalid())
}

fn invalid() -> Error {
    Error::new(Code::InvalidCode, "The code is wrong or has expired; check it, or ask for a new one.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tidings_store::{Clock, Store};

    const PHONE: [u8; 32] = [9; 32];

    async fn server() -> (Arc<Server>, Arc<AtomicU64>) {
        let now = Arc::new(AtomicU64::new(1_700_000_000_000));
        let clock = Clock::new({
            let now = now.clone();
            move || now.load(Ordering::Relaxed)
        });
        let server = Server::open(Config::default(), Store::memory(clock.clone()), clock).await.unwrap();
        (Arc::new(server), now)
    }

    fn other_than(code: &str) -> String {
        format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
    }

    #[test]
    fn the_stored_form_does_not_change() {
        let sent = Sent { hash: [3; 32].into(), attempts: 2, expires_ms: 1_700_000_600_000 };
        let hex: String = stored::encode(&sent).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("code_stored", hex);
    }

    #[tokio::test]
    async fn a_code_works_once_and_a_new_one_voids_the_old() {
        let (server, _) = server().await;
        let old = make(&server, &PHONE).await.unwrap();
        let new = make(&server, &PHONE).await.unwrap();
        assert_eq!(new.len(), 6);
        if old != new {
            assert_eq!(redeem(&server, &PHONE, &old).await, Err(invalid()));
        }
        assert_eq!(redeem(&server, &[8; 32], &new).await, Err(invalid()));
        assert_eq!(redeem(&server, &PHONE, &new).await, Ok(()));
        assert_eq!(redeem(&server, &PHONE, &new).await, Err(invalid()));
    }

    #[tokio::test]
    async fn four_wrong_attempts_are_forgiven_and_five_are_not() {
        let (server, _) = server().await;
        for (wrong, outcome) in [(4, Ok(())), (5, Err(invalid()))] {
            let code = make(&server, &PHONE).await.unwrap();
            for _ in 0..wrong {
                assert_eq!(redeem(&server, &PHONE, &other_than(&code)).await, Err(invalid()));
            }
            assert_eq!(redeem(&server, &PHONE, &code).await, outcome, "after {wrong} wrong attempts");
        }
    }

    #[tokio::test]
    async fn a_code_lives_for_ten_minutes() {
        let (server, now) = server().await;
        for (wait_ms, outcome) in [(599_999, Ok(())), (600_000, Err(invalid()))] {
            let code = make(&server, &PHONE).await.unwrap();
            now.fetch_add(wait_ms, Ordering::Relaxed);
            assert_eq!(redeem(&server, &PHONE, &code).await, outcome, "after {wait_ms} ms");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_attempts_at_once_five_are_counted_and_one_succeeds() {
        let (server, _) = server().await;
        let code = make(&server, &PHONE).await.unwrap();
        let tries = (0..40).map(|_| {
            let (server, code) = (server.clone(), code.clone());
            tokio::spawn(async move { redeem(&server, &PHONE, &code).await.is_ok() })
        });
        let won = futures_util::future::join_all(tries).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
        assert_eq!(won, 1);

        let code = make(&server, &PHONE).await.unwrap();
        let tries = (0..40).map(|_| {
            let (server, wrong) = (server.clone(), other_than(&code));
            tokio::spawn(async move { redeem(&server, &PHONE, &wrong).await })
        });
        futures_util::future::join_all(tries).await;
        assert_eq!(redeem(&server, &PHONE, &code).await, Err(invalid()), "the guesses used the code up");
    }
}
