//! The rows of conversations: what this device knows of each log, and where it stands in it.

use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::{AccountId, ConversationId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub conversation: ConversationId,
    pub kind: ConversationKind,
    pub standing: Standing,
    /// Not known before this device is in the group.
    pub account: Option<AccountId>,
    pub created: bool,
    pub joined: bool,
    pub cursor: u64,
    /// The group's epoch; `None` while this device is not in it.
    pub epoch: Option<u64>,
    pub read: u64,
    pub profile_told: bool,
}

/// One's place in a group. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Standing {
    /// Or about to be one.
    Member = 0,
    Left = 1,
    Removed = 2,
    /// The server passed on what the group's rules forbid: this device does not follow.
    Distrusted = 3,
}

const COLUMNS: &str = "conversation, account, created, joined, cursor, epoch, read, profile_told, kind, standing";

/// Which kind of conversation an id names, as seen from one's own account.
pub(crate) fn kind(own: AccountId, conversation: ConversationId) -> ConversationKind {
    if conversation == ConversationId::self_chat(own) {
        ConversationKind::SelfChat
    } else if conversation.may_be_group() {
        ConversationKind::Group
    } else {
        ConversationKind::Direct
    }
}

fn number(kind: ConversationKind) -> u8 {
    match kind {
        ConversationKind::Direct => 0,
        ConversationKind::Group => 1,
        ConversationKind::SelfChat => 2,
    }
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        conversation: ConversationId::from_bytes(row.get(0)?),
        account: row.get::<_, Option<[u8; 16]>>(1)?.map(AccountId::from_bytes),
        created: row.get(2)?,
        joined: row.get(3)?,
        cursor: row.get(4)?,
        epoch: row.get(5)?,
        read: row.get(6)?,
        profile_told: row.get(7)?,
        kind: match row.get::<_, u8>(8)? {
            1 => ConversationKind::Group,
            2 => ConversationKind::SelfChat,
            _ => ConversationKind::Direct,
        },
        standing: match row.get::<_, u8>(9)? {
            0 => Standing::Member,
            1 => Standing::Left,
            2 => Standing::Removed,
            _ => Standing::Distrusted,
        },
    })
}

pub(crate) fn find(tx: &Connection, conversation: ConversationId) -> rusqlite::Result<Option<Row>> {
    tx.prepare_cached(&format!("SELECT {COLUMNS} FROM conversation WHERE conversation = ?1"))?
        .query_row([conversation.as_bytes()], read)
        .optional()
}

/// The row, made if it is not there. `account`: the other person, if known.
pub(crate) fn ensure(step: &Step<'_>, conversation: ConversationId, account: Option<AccountId>) -> Result<Row, Stop> {
    if let Some(row) = find(step.tx, conversation)? {
        if row.account.is_none() && account.is_some() {
            set_account(step.tx, conversation, account)?;
            return Ok(Row { account, ..row });
        }
        return Ok(row);
    }
    let own = step.me()?.sender.account;
    let kind = kind(own, conversation);
    let account = match kind {
        ConversationKind::Direct => account,
        ConversationKind::Group => None,
        ConversationKind::SelfChat => Some(own),
    };
    step.tx
        .prepare_cached("INSERT INTO conversation (conversation, account, active_ms, kind) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            conversation.as_bytes(),
            account.as_ref().map(AccountId::as_bytes),
            step.now_ms,
            number(kind)
        ])?;
    Ok(Row {
        conversation,
        kind,
        standing: Standing::Member,
        account,
        created: false,
        joined: false,
        cursor: 0,
        epoch: None,
        read: 0,
        profile_told: false,
    })
}

/// Those in whose group this device is.
pub(crate) fn all_joined(tx: &Connection) -> rusqlite::Result<Vec<ConversationId>> {
    tx.prepare_cached("SELECT conversation FROM conversation WHERE epoch IS NOT NULL")?
        .query_map([], |row| Ok(ConversationId::from_bytes(row.get(0)?)))?
        .collect()
}

pub(crate) fn set_standing(tx: &Connection, conversation: ConversationId, standing: Standing) -> Done {
    tx.prepare_cached("UPDATE conversation SET standing = ?2 WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), standing as u8])?;
    Ok(())
}

fn set_account(tx: &Connection, conversation: ConversationId, account: Option<AccountId>) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE conversation SET account = ?2 WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), account.as_ref().map(AccountId::as_bytes)])?;
    Ok(())
}

/// It never came to be.
pub(crate) fn forget(tx: &Connection, conversation: ConversationId) -> Done {
    for table in [
        "conversation",
        "group_profile",
        "outbox",
        "own_commit",
        "pending_welcome",
        "invite_secret",
        "chat_state",
        "astray",
    ] {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE conversation = ?1"))?
            .execute([conversation.as_bytes()])?;
    }
    tx.prepare_cached("DELETE FROM job WHERE subject = ?1")?.execute([conversation.as_bytes()])?;
    Ok(())
}

pub(crate) fn set_created(tx: &Connection, conversation: ConversationId, created: bool) -> Done {
    tx.prepare_cached("UPDATE conversation SET created = ?2 WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), created])?;
    Ok(())
}

pub(crate) fn set_cursor(tx: &Connection, conversation: ConversationId, cursor: u64) -> Done {
    tx.prepare_cached("UPDATE conversation SET cursor = ?2 WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), cursor])?;
    tx.prepare_cached("DELETE FROM ahead WHERE conversation = ?1 AND seq <= ?2")?
        .execute(params![conversation.as_bytes(), cursor])?;
    Ok(())
}

/// This device is in the group, at this epoch; or not any more.
pub(crate) fn set_epoch(tx: &Connection, conversation: ConversationId, epoch: Option<u64>) -> Done {
    tx.prepare_cached("UPDATE conversation SET epoch = ?2, joined = joined OR ?2 IS NOT NULL WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), epoch])?;
    Ok(())
}

/// It was in the group once, with state that is lost.
pub(crate) fn set_joined(tx: &Connection, conversation: ConversationId) -> Done {
    tx.prepare_cached("UPDATE conversation SET joined = 1 WHERE conversation = ?1")?
        .execute([conversation.as_bytes()])?;
    Ok(())
}

pub(crate) fn set_read(tx: &Connection, conversation: ConversationId, read: u64) -> Done {
    tx.prepare_cached("UPDATE conversation SET read = max(read, ?2) WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), read])?;
    Ok(())
}

pub(crate) fn set_profile_told(tx: &Connection, conversation: ConversationId, told: bool) -> Done {
    tx.prepare_cached("UPDATE conversation SET profile_told = ?2 WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), told])?;
    Ok(())
}

pub(crate) fn set_active(tx: &Connection, conversation: ConversationId, at_ms: u64) -> Done {
    tx.prepare_cached("UPDATE conversation SET active_ms = max(active_ms, ?2) WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), at_ms])?;
    Ok(())
}

/// An own entry stands above the cursor: the cursor passes over it when it gets there.
pub(crate) fn note_ahead(tx: &Connection, conversation: ConversationId, seq: u64) -> Done {
    tx.prepare_cached("INSERT OR IGNORE INTO ahead (conversation, seq) VALUES (?1, ?2)")?
        .execute(params![conversation.as_bytes(), seq])?;
    Ok(())
}

/// How many of the seqs above `after`, up to `to`, are own entries that were acknowledged.
pub(crate) fn count_ahead(tx: &Connection, conversation: ConversationId, after: u64, to: u64) -> Result<u64, Stop> {
    Ok(tx
        .prepare_cached("SELECT count(*) FROM ahead WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3")?
        .query_row(params![conversation.as_bytes(), after, to], |row| row.get(0))?)
}

/// Whether the person blocks the other one of it: the server then shows nothing of it, and takes nothing for it.
pub(crate) fn is_blocked(tx: &Connection, conversation: ConversationId) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT 1 FROM conversation JOIN contact USING (account)
         WHERE conversation = ?1 AND kind = 0 AND contact.blocked = 1",
    )?
    .exists([conversation.as_bytes()])
}
