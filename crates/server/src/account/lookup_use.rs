//! How many numbers were looked up today (a day of UTC): by one account, and by everybody. Counted in the store, so that
//! neither a new connection nor a restart begins anew; the burst of an hour is counted in memory (`rate`).
//!
//! What an attacker gains who looks up all numbers of a country is bounded by both; docs/security.md has the arithmetic.

use crate::error::{Error, Result};
use crate::server::Server;
use crate::stored::{self, Stored};
use serde::{Deserialize, Serialize};
use tidings_proto::id::AccountId;
use tidings_proto::problem::Code;
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Table};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// A row is of no use after its day.
const KEPT_MS: u64 = 2 * DAY_MS;
/// How often to try again when somebody else counted at the same time.
const TRIES: u32 = 16;
/// The partition that counts everybody.
const EVERYBODY: &[u8] = &[];

/// Version 1 of a row of `Table::LookupUse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Use {
    /// Since 1970.
    day: u64,
    count: u32,
}

/// Takes all of `count`, or says when to come back.
pub async fn take(server: &Server, account: AccountId, count: u32) -> Result<()> {
    let limits = &server.config.limits;
    let everybodys = limits.lookups_per_day;
    // Looked at first: what is refused for everybody is not counted for one.
    let (used, _) = read(server, EVERYBODY).await?;
    if used.count.saturating_add(count) > everybodys {
        return Err(refused(server, "This server looks up no more numbers today."));
    }
    add(server, account.as_bytes(), count, limits.lookups_per_account_per_day, "Too many numbers looked up today.")
        .await?;
    // All of this node count in one row: one after the other, so that only other nodes are in the way.
    let _turn = server.lookups.lock().await;
    add(server, EVERYBODY, count, everybodys, "This server looks up no more numbers today.").await
}

async fn add(server: &Server, partition: &[u8], count: u32, most: u32, full: &str) -> Result<()> {
    for _ in 0..TRIES {
        let (used, before) = read(server, partition).await?;
        let count = used.count.saturating_add(count);
        if count > most {
            return Err(refused(server, full));
        }
        let row = stored::encode(&Use { count, ..used });
        let assert = before.map_or(Assert::Absent, |row| Assert::Equals(row.bytes));
        let batch = Batch::new(Family::LookupUse, partition).assert(Table::LookupUse, [], assert).put_until(
            Table::LookupUse,
            [],
            row,
            server.clock.now_ms() + KEPT_MS,
        );
        match server.store.commit(batch).await {
            Err(CommitError::Conflict(_)) => {}
            done => return Ok(done?),
        }
    }
    Err(Error::new(Code::Overloaded, "Too many look up numbers at once.").retry_after_ms(1_000))
}

/// What was used today, and the row as it stands.
async fn read(server: &Server, partition: &[u8]) -> Result<(Use, Option<Stored<Use>>)> {
    let row = server.store.get(&Key::new(Table::LookupUse, partition, [])).await?;
    let row = row.map(|bytes| stored::decode::<Use>(Table::LookupUse, bytes)).transpose()?;
    let day = server.clock.now_ms() / DAY_MS;
    let today = row.as_ref().map(|row| row.value).filter(|used| used.day == day);
    Ok((today.unwrap_or(Use { day, count: 0 }), row))
}

/// Until the next day.
fn refused(server: &Server, why: &str) -> Error {
    let wait_ms = DAY_MS - server.clock.now_ms() % DAY_MS;
    Error::new(Code::RateLimited, why).retry_after_ms(wait_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let used = Use { day: 20_778, count: 300 };
        let hex: String = stored::encode(&used).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("lookup_use_stored", hex);
        assert_eq!(stored::decode::<Use>(Table::LookupUse, stored::encode(&used)).unwrap().value, used);
    }
}
