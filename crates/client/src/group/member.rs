//! Who is in a group: rows that follow the MLS state with every commit.
//!
//! Somebody who left is no member from that entry on, though their leaves stand until the next commit.

use super::leave;
use crate::conversation::{Row, Standing};
use crate::step::{Done, Step, Stop};
use crate::view;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};
use tidings_proto::codec;
use tidings_proto::group::GroupRules;
use tidings_proto::id::{AccountId, ConversationId};

/// What a commit changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved {
    pub came: Vec<AccountId>,
    pub gone: Vec<AccountId>,
    pub before: Option<GroupRules>,
    pub after: GroupRules,
}

/// The groups that this account is in, as far as this device is in them.
pub(crate) fn groups_with(tx: &Connection, account: AccountId) -> Result<BTreeSet<ConversationId>, Stop> {
    Ok(tx
        .prepare_cached(
            "SELECT conversation FROM conversation c WHERE standing = ?2
             AND EXISTS (SELECT 1 FROM member m WHERE m.conversation = c.conversation AND m.account = ?1)",
        )?
        .query_map(params![account.as_bytes(), Standing::Member as u8], |row| {
            Ok(ConversationId::from_bytes(row.get(0)?))
        })?
        .collect::<Result<_, _>>()?)
}

pub(crate) fn accounts(tx: &Connection, conversation: ConversationId) -> Result<BTreeSet<AccountId>, Stop> {
    Ok(tx
        .prepare_cached("SELECT account FROM member WHERE conversation = ?1")?
        .query_map([conversation.as_bytes()], |row| Ok(AccountId::from_bytes(row.get(0)?)))?
        .collect::<Result<_, _>>()?)
}

/// The rules as they were last seen; of a group that one left, those from then.
pub(crate) fn rules(tx: &Connection, conversation: ConversationId) -> Result<Option<GroupRules>, Stop> {
    let bytes: Option<Vec<u8>> = tx
        .prepare_cached("SELECT rules FROM group_rules WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?;
    bytes
        .map(|bytes| codec::from_cbor(&bytes).map_err(|error| Stop::Fault(format!("stored rules: {error}"))))
        .transpose()
}

/// Whether somebody may say what counts (`GroupRules::posting`). True of every conversation without rules.
pub(crate) fn may_post(tx: &Connection, conversation: ConversationId, who: AccountId) -> Result<bool, Stop> {
    Ok(rules(tx, conversation)?.is_none_or(|rules| rules.allows(rules.posting, who)))
}

/// The entry after which those came whom this device first sees in the group that it (re)joined at `seq`. If it was in
/// before, they may have come anywhere since the last commit that it applied.
pub(crate) fn came_after(tx: &Connection, before: &Row, seq: u64) -> Result<u64, Stop> {
    if !before.joined || before.standing != Standing::Member {
        return Ok(seq);
    }
    Ok(tx
        .prepare_cached("SELECT applied_seq FROM conversation WHERE conversation = ?1")?
        .query_row([before.conversation.as_bytes()], |row| row.get(0))?)
}

/// Takes over what the MLS state says, after the commit at `seq`. Newcomers are members since `came_after`.
pub(crate) fn refresh(
    step: &Step<'_>,
    conversation: ConversationId,
    (seq, time_ms): (u64, u64),
    came_after: u64,
) -> Result<Moved, Stop> {
    let mls = step.mls()?;
    let after = mls.group_rules(step.tx, conversation)?;
    let with_leaves: BTreeSet<AccountId> =
        mls.devices(step.tx, conversation)?.into_iter().map(|device| device.account).collect();
    leave::settle(step.tx, conversation, &with_leaves)?;
    let leaving = leave::accounts(step.tx, conversation)?;
    let now: BTreeMap<AccountId, bool> = after
        .away
        .iter()
        .map(|account| (*account, true))
        .chain(with_leaves.iter().map(|account| (*account, false)))
        .filter(|(account, _)| !leaving.contains(account))
        .collect();
    let known = accounts(step.tx, conversation)?;
    let moved = Moved {
        came: now.keys().filter(|account| !known.contains(account)).copied().collect(),
        gone: known.iter().filter(|account| !now.contains_key(account)).copied().collect(),
        before: rules(step.tx, conversation)?,
        after,
    };
    for account in &moved.gone {
        remove(step.tx, conversation, *account)?;
    }
    let mut put = step.tx.prepare_cached(
        "INSERT INTO member (conversation, account, admin, away, since_seq, since_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (conversation, account) DO UPDATE SET admin = excluded.admin, away = excluded.away
         WHERE admin <> excluded.admin OR away <> excluded.away",
    )?;
    for (account, away) in &now {
        let admin = moved.after.is_admin(*account);
        put.execute(params![conversation.as_bytes(), account.as_bytes(), admin, away, came_after, time_ms])?;
    }
    step.tx
        .prepare_cached("UPDATE conversation SET applied_seq = ?2 WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), seq])?;
    if moved.before.as_ref() != Some(&moved.after) {
        step.tx
            .prepare_cached("INSERT OR REPLACE INTO group_rules (conversation, rules) VALUES (?1, ?2)")?
            .execute(params![conversation.as_bytes(), moved.after.encode()])?;
    }
    Ok(moved)
}

pub(crate) fn remove(tx: &Connection, conversation: ConversationId, account: AccountId) -> Done {
    tx.prepare_cached("DELETE FROM member WHERE conversation = ?1 AND account = ?2")?
        .execute([conversation.as_bytes(), account.as_bytes()])?;
    Ok(())
}

/// Who is in it longest, except this account; somebody without a device only if there is nobody else.
pub(crate) fn heir(tx: &Connection, conversation: ConversationId, own: AccountId) -> Result<Option<AccountId>, Stop> {
    Ok(tx
        .prepare_cached(
            "SELECT account FROM member WHERE conversation = ?1 AND account <> ?2
             ORDER BY away, since_seq, account LIMIT 1",
        )?
        .query_row([conversation.as_bytes(), own.as_bytes()], |row| Ok(AccountId::from_bytes(row.get(0)?)))
        .optional()?)
}

/// How many others stand before this account, in the order of ids, and how many members there are: so that not all of
/// them do the same thing at once.
pub(crate) fn rank(tx: &Connection, conversation: ConversationId, own: AccountId) -> Result<(u64, u64), Stop> {
    Ok(tx
        .prepare_cached("SELECT coalesce(sum(account < ?2), 0), count(*) FROM member WHERE conversation = ?1")?
        .query_row([conversation.as_bytes(), own.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Admins first, then by how long they are in it.
pub(crate) fn list(tx: &Connection, conversation: ConversationId) -> Result<Vec<view::Member>, Stop> {
    let rows: Vec<(AccountId, bool, bool, u64)> = tx
        .prepare_cached(
            "SELECT account, admin, away, since_ms FROM member WHERE conversation = ?1
             ORDER BY admin DESC, since_seq, account",
        )?
        .query_map([conversation.as_bytes()], |row| {
            Ok((AccountId::from_bytes(row.get(0)?), row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    rows.into_iter()
        .map(|(account, admin, away, since_ms)| {
            let title = view::notice::person(tx, account)?.title;
            Ok(view::Member { account, title, admin, away, since_ms })
        })
        .collect()
}
