//! Into the database: the rows of a chunk merge with what is here, all of them or none.

use super::ArchiveError;
use super::cell::Cell;
use super::import;
use super::rows::{self, Rows};
use super::table::{self, Rule, Table};
use crate::conversation::{self, Standing};
use crate::event::Event;
use crate::message::change;
use crate::rejoin;
use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, ToSql, params};
use std::collections::BTreeSet;
use tidings_proto::id::ConversationId;

/// Takes over the plaintext of a chunk.
pub(crate) fn merge(step: &mut Step<'_>, plain: &[u8]) -> Result<Result<(), ArchiveError>, Stop> {
    let tables = match rows::decode(plain) {
        Ok(tables) => tables,
        Err(error) => return Ok(Err(error)),
    };
    let mut changed = BTreeSet::new();
    for rows in &tables {
        let Some(table) = table::find(&rows.table) else { continue };
        merge_rows(step, table, rows, &mut changed)?;
    }
    for conversation in changed {
        change::adopt_all_orphans(step, conversation)?;
        step.event(Event::ConversationChanged { conversation });
    }
    Ok(Ok(()))
}

fn merge_rows(step: &mut Step<'_>, table: &Table, rows: &Rows, changed: &mut BTreeSet<ConversationId>) -> Done {
    let here = table::columns(step.tx, table)?;
    // Names of columns come from outside: only those that exist here get into a statement.
    let known: Vec<(usize, &str)> = rows
        .columns
        .iter()
        .enumerate()
        .filter_map(|(index, column)| Some((index, here.iter().find(|other| *other == column)?.as_str())))
        .collect();
    let columns: Vec<&str> = known.iter().map(|(_, column)| *column).collect();
    if !table.key.iter().all(|key| columns.contains(key)) {
        return Ok(());
    }
    let sql = table::merge_sql(table, &columns);
    let place = |name: &str| rows.columns.iter().position(|column| column == name);
    let (conversation, message) = (place("conversation"), place("message"));
    for row in &rows.rows {
        if table.name != "chat_state"
            && table.name != "pin"
            && message.is_some_and(|index| matches!(&row[index], Cell::Bytes(id) if is_gone(step.tx, id)))
        {
            continue;
        }
        let values: Vec<&dyn ToSql> = known.iter().map(|(index, _)| &row[*index] as &dyn ToSql).collect();
        // A row that breaks a rule of the schema is left out; the others count.
        let merged = match step.tx.prepare_cached(&sql)?.execute(values.as_slice()) {
            Ok(merged) => merged,
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::ConstraintViolation => {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let id = conversation.and_then(|index| conversation_id(&row[index]));
        if let Some(id) = id.filter(|_| merged > 0 || table.rule == Rule::Conversation) {
            changed.insert(id);
            if table.rule == Rule::Conversation {
                let integer = |name: &str| place(name).and_then(|index| integer(&row[index])).unwrap_or(0);
                let archived = Archived {
                    cursor: integer("cursor"),
                    read: integer("read"),
                    active_ms: integer("active_ms"),
                    is_member: integer("created") == 1 && integer("standing") == i64::from(Standing::Member as u8),
                };
                conversation_came(step, id, merged > 0, &archived)?;
            }
        }
    }
    Ok(())
}

/// What the archive says of a conversation.
struct Archived {
    cursor: i64,
    read: i64,
    active_ms: i64,
    is_member: bool,
}

fn conversation_came(step: &mut Step<'_>, conversation: ConversationId, is_new: bool, archived: &Archived) -> Done {
    if is_new {
        // Known to this device by its history only: it has to come into the group.
        if !archived.is_member {
            return Ok(());
        }
        // What a restored device cannot read of the log was meant for it: it is shown, one by one, as by a device that
        // lost its keys. What a linked one cannot read is in the history that comes.
        if !import::has_history(step.tx)? {
            conversation::set_joined(step.tx, conversation)?;
        }
        return rejoin::want(step, conversation);
    }
    step.tx
        .prepare_cached(
            // A device that has just heard of it knows no other time than its own.
            "UPDATE conversation SET read = max(read, ?2), active_ms = max(?3, coalesce((
                 SELECT time_ms FROM message WHERE conversation = ?1 AND kind <> 3 ORDER BY seq DESC LIMIT 1), 0))
             WHERE conversation = ?1",
        )?
        .execute(params![conversation.as_bytes(), archived.read, archived.active_ms])?;
    // What this device could not read, for it came later, is in the archive.
    step.tx
        .prepare_cached(
            "DELETE FROM message WHERE conversation = ?1 AND kind = 3 AND seq <= ?2 AND text = '\"history_missing\"'",
        )?
        .execute(params![conversation.as_bytes(), archived.cursor.saturating_add(1)])?;
    Ok(())
}

fn is_gone(tx: &Connection, message: &[u8]) -> bool {
    tx.prepare_cached("SELECT 1 FROM deleted WHERE message = ?1")
        .and_then(|mut statement| statement.exists([message]))
        .unwrap_or(false)
}

fn conversation_id(cell: &Cell) -> Option<ConversationId> {
    match cell {
        Cell::Bytes(bytes) => ConversationId::from_slice(bytes),
        _ => None,
    }
}

fn integer(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Integer(number) => Some(*number),
        _ => None,
    }
}
