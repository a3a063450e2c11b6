//! The group of a conversation: its row in `mls_group`, and the loaded form in memory.
//!
//! Reading a group from its dozen rows costs several times what a message costs, so loaded groups are kept. Each change
//! writes a fresh random stamp into the row, in the same transaction; a loaded group whose stamp is not the row's (its
//! transaction was rolled back) is not used again. So the database decides, always.

use super::Mls;
use super::error::MlsError;
use super::storage::{Storage, StorageError};
use openmls::prelude::{GroupId, MlsGroup};
use rusqlite::{Connection, OptionalExtension, params};
use std::cell::RefCell;
use std::collections::HashMap;
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::ConversationId;

/// Loaded groups at a time; all are let go when there are more.
const LOADED_MAX: usize = 32;

/// A row of `mls_group`.
#[derive(Clone)]
pub(super) struct Row {
    pub group_id: GroupId,
    pub kind: ConversationKind,
    /// Joined by an own external commit that is not known to be in the log.
    pub joining: bool,
    /// By which the own commit is known again.
    pub pending: Option<[u8; 32]>,
    /// Of the state that belongs to this row; a new one is given at each write.
    pub stamp: i64,
}

impl Row {
    pub fn new(group_id: GroupId, kind: ConversationKind) -> Self {
        Self { group_id, kind, joining: false, pending: None, stamp: 0 }
    }
}

/// Groups in memory, with the stamps of their states.
#[derive(Default)]
pub(super) struct Loaded(RefCell<HashMap<ConversationId, (i64, MlsGroup)>>);

impl Mls {
    /// The group as it stands, whatever its state. Whoever changes it hands it back by [`Mls::hold`]; who does not, by
    /// [`Mls::hand_back`]; after an error it is dropped.
    pub(super) fn open(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        row: &Row,
    ) -> Result<MlsGroup, MlsError> {
        match self.loaded.0.borrow_mut().remove(&conversation) {
            Some((stamp, group)) if stamp == row.stamp => Ok(group),
            _ => load(connection, row),
        }
    }

    /// The group, if this device is a member of it now.
    pub(super) fn usable(
        &self,
        connection: &Connection,
        conversation: ConversationId,
    ) -> Result<(Row, MlsGroup), MlsError> {
        let row = read_row(connection, conversation)?.ok_or(MlsError::NoGroup)?;
        if row.joining {
            return Err(MlsError::Joining);
        }
        let group = self.open(connection, conversation, &row)?;
        if group.is_active() { Ok((row, group)) } else { Err(MlsError::Removed) }
    }

    /// Asks the group something.
    pub(super) fn ask<T>(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        question: impl FnOnce(&MlsGroup) -> Result<T, MlsError>,
    ) -> Result<T, MlsError> {
        let (row, group) = self.usable(connection, conversation)?;
        let answer = question(&group);
        self.hand_back(conversation, &row, group);
        answer
    }

    /// The group is as it was.
    pub(super) fn hand_back(&self, conversation: ConversationId, row: &Row, group: MlsGroup) {
        let mut loaded = self.loaded.0.borrow_mut();
        if loaded.len() >= LOADED_MAX {
            loaded.clear();
        }
        loaded.insert(conversation, (row.stamp, group));
    }

    /// Writes the row, and keeps the changed group.
    pub(super) fn hold(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        mut row: Row,
        group: MlsGroup,
    ) -> Result<(), MlsError> {
        row.stamp = i64::from_be_bytes(self.random.bytes());
        write_row(connection, conversation, &row)?;
        self.hand_back(conversation, &row, group);
        Ok(())
    }

    /// Forgets the group.
    pub fn delete(&self, connection: &Connection, conversation: ConversationId) -> Result<(), MlsError> {
        self.loaded.0.borrow_mut().remove(&conversation);
        if let Some(row) = read_row(connection, conversation)? {
            Storage(connection).remove_group(&row.group_id)?;
        }
        connection
            .prepare_cached("DELETE FROM mls_group WHERE conversation = ?1")?
            .execute([conversation.as_bytes()])?;
        Ok(())
    }
}

/// State that cannot be read is as good as lost, and heals in the same way.
fn load(connection: &Connection, row: &Row) -> Result<MlsGroup, MlsError> {
    match MlsGroup::load(&Storage(connection), &row.group_id) {
        Ok(group) => group.ok_or(MlsError::NoGroup),
        Err(StorageError::Sqlite(error)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "the state of an MLS group cannot be read");
            Err(MlsError::NoGroup)
        }
    }
}

pub(super) fn read_row(connection: &Connection, conversation: ConversationId) -> Result<Option<Row>, MlsError> {
    let row = connection
        .prepare_cached("SELECT group_id, kind, joining, pending, stamp FROM mls_group WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u8>(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((group_id, kind, joining, pending, stamp)) = row else { return Ok(None) };
    let kind = match kind {
        0 => ConversationKind::Direct,
        1 => ConversationKind::Group,
        2 => ConversationKind::SelfChat,
        other => return Err(MlsError::internal(format!("conversation kind {other}"))),
    };
    Ok(Some(Row { group_id: GroupId::from_slice(&group_id), kind, joining, pending, stamp }))
}

fn write_row(connection: &Connection, conversation: ConversationId, row: &Row) -> Result<(), MlsError> {
    let kind: u8 = match row.kind {
        ConversationKind::Direct => 0,
        ConversationKind::Group => 1,
        ConversationKind::SelfChat => 2,
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO mls_group (conversation, group_id, kind, joining, pending, stamp)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            conversation.as_bytes(),
            row.group_id.as_slice(),
            kind,
            row.joining,
            row.pending,
            row.stamp
        ])?;
    Ok(())
}
