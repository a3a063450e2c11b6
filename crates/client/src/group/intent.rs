//! What is to be changed in a group, in the order in which it was asked for.

use super::invite;
use crate::error::ClientError;
use crate::io::CallId;
use crate::job::{self, Kind};
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use crate::view::notice;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use tidings_proto::group::{Invite, InviteKey, Who};
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::problem::Code;

/// Stored: never change a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Intent {
    Create {
        members: Vec<AccountId>,
    },
    Add {
        who: Vec<AccountId>,
    },
    Remove {
        who: Vec<AccountId>,
    },
    Admin {
        who: AccountId,
        on: bool,
    },
    Rules {
        posting: Option<Who>,
        editing: Option<Who>,
        adding: Option<Who>,
    },
    Ban {
        who: AccountId,
        on: bool,
    },
    Invite {
        invite: Invite,
    },
    Revoke {
        key: InviteKey,
    },
    Leave,
    /// See repair.rs.
    Readd,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub id: i64,
    pub intent: Intent,
}

/// Stores it, and has it done. `reply`: who waits for it.
pub(crate) fn add(step: &mut Step<'_>, conversation: ConversationId, intent: &Intent, reply: Option<CallId>) -> Done {
    let content = serde_json::to_vec(intent).expect("our types always serialize");
    step.tx
        .prepare_cached("INSERT INTO intent (conversation, content) VALUES (?1, ?2)")?
        .execute(params![conversation.as_bytes(), content])?;
    if let Some(reply) = reply {
        step.mem.groups.replies.insert(step.tx.last_insert_rowid(), reply);
    }
    job::add(step.tx, Kind::Group, conversation.as_bytes(), None)
}

/// Stores it, to be done before all others.
pub(crate) fn add_first(tx: &Connection, conversation: ConversationId, intent: &Intent) -> Done {
    let content = serde_json::to_vec(intent).expect("our types always serialize");
    tx.prepare_cached(
        "INSERT INTO intent (intent, conversation, content)
         VALUES ((SELECT coalesce(min(intent), 1) - 1 FROM intent), ?1, ?2)",
    )?
    .execute(params![conversation.as_bytes(), content])?;
    Ok(())
}

pub(crate) fn drop_readd(tx: &Connection, conversation: ConversationId) -> Done {
    let content = serde_json::to_vec(&Intent::Readd).expect("our types always serialize");
    tx.prepare_cached("DELETE FROM intent WHERE conversation = ?1 AND content = ?2")?
        .execute(params![conversation.as_bytes(), content])?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Vec<u8>)> {
    Ok((row.get(0)?, row.get(1)?))
}

/// `None` if it was written by a newer version.
fn decode((id, content): (i64, Vec<u8>)) -> Option<Row> {
    Some(Row { id, intent: serde_json::from_slice(&content).ok()? })
}

/// The one to be done next.
pub(crate) fn first(tx: &Connection, conversation: ConversationId) -> Result<Option<Row>, Stop> {
    let row = tx
        .prepare_cached("SELECT intent, content FROM intent WHERE conversation = ?1 ORDER BY intent LIMIT 1")?
        .query_row([conversation.as_bytes()], read)
        .optional()?;
    Ok(row.and_then(decode))
}

pub(crate) fn set_commit(tx: &Connection, id: i64, commit: MessageId) -> Done {
    tx.prepare_cached("UPDATE intent SET commit_id = ?2 WHERE intent = ?1")?.execute(params![id, commit.as_bytes()])?;
    Ok(())
}

/// These people do not allow it: the rest is to be done without them. False if it is about nobody of them.
pub(crate) fn leave_out(step: &mut Step<'_>, row: &Row, refused: &[AccountId]) -> Result<bool, Stop> {
    let mut intent = row.intent.clone();
    let (Intent::Create { members: who } | Intent::Add { who }) = &mut intent else { return Ok(false) };
    let (out, rest): (Vec<AccountId>, Vec<AccountId>) = who.iter().copied().partition(|it| refused.contains(it));
    if out.is_empty() {
        return Ok(false);
    }
    *who = rest;
    let content = serde_json::to_vec(&intent).expect("our types always serialize");
    step.tx
        .prepare_cached("UPDATE intent SET content = ?2, commit_id = NULL WHERE intent = ?1")?
        .execute(params![row.id, content])?;
    step.mem.groups.invite_needed.entry(row.id).or_default().extend(out);
    Ok(true)
}

/// The own commit is void: what it was for is to be done again.
pub(crate) fn uncommit(tx: &Connection, conversation: ConversationId) -> Done {
    tx.prepare_cached("UPDATE intent SET commit_id = NULL WHERE conversation = ?1")?
        .execute([conversation.as_bytes()])?;
    Ok(())
}

/// Those that a commit does.
pub(crate) fn of_commit(tx: &Connection, conversation: ConversationId, commit: MessageId) -> Result<Vec<Row>, Stop> {
    let rows: Vec<(i64, Vec<u8>)> = tx
        .prepare_cached("SELECT intent, content FROM intent WHERE conversation = ?1 AND commit_id = ?2")?
        .query_map(params![conversation.as_bytes(), commit.as_bytes()], read)?
        .collect::<Result<_, _>>()?;
    Ok(rows.into_iter().filter_map(decode).collect())
}

/// It is done, or will never be.
pub(crate) fn finish(
    step: &mut Step<'_>,
    conversation: ConversationId,
    row: &Row,
    result: Result<(), ClientError>,
) -> Done {
    step.tx.prepare_cached("DELETE FROM intent WHERE intent = ?1")?.execute([row.id])?;
    if let Err(error) = &result {
        tracing::info!(%conversation, %error, "a change of a group cannot be done");
    }
    let invite_needed = step.mem.groups.invite_needed.remove(&row.id).unwrap_or_default();
    let left_out = step.mem.groups.left_out.remove(&row.id).unwrap_or_default();
    step.mem.groups.claims.remove(&conversation);
    let Some(reply) = step.mem.groups.replies.remove(&row.id) else { return Ok(()) };
    let unknown = step.mem.groups.unknown.remove(&reply).unwrap_or_default();
    let result = match result {
        Ok(()) if !invite_needed.is_empty() => {
            let person = |account: &AccountId| notice::person(step.tx, *account);
            let who = invite_needed.iter().map(person).collect::<Result<_, _>>()?;
            Err(ClientError::InviteNeeded { conversation, who })
        }
        Ok(()) if !left_out.is_empty() => Err(without_device(&left_out, &unknown)),
        Ok(()) if !unknown.is_empty() => Err(ClientError::NoSuchPerson { phone: unknown.join(", ") }),
        Ok(()) => Ok(reply_to(step.tx, conversation, &row.intent)?),
        Err(error) => Err(error),
    };
    step.reply(reply, result);
    Ok(())
}

fn without_device(accounts: &[AccountId], unknown: &[String]) -> ClientError {
    let names: Vec<String> = accounts.iter().map(AccountId::to_string).chain(unknown.iter().cloned()).collect();
    ClientError::Refused {
        code: Code::NoDevice,
        detail: format!("without a device that could be added: {}", names.join(", ")),
        retry_after_ms: None,
    }
}

fn reply_to(tx: &Connection, conversation: ConversationId, intent: &Intent) -> Result<Reply, Stop> {
    Ok(match intent {
        Intent::Create { .. } => Reply::Conversation { conversation, account: None },
        Intent::Invite { invite } => match invite::token(tx, conversation, invite.key)? {
            Some(token) => Reply::Invite { token, key: invite.key },
            None => Reply::Done,
        },
        _ => Reply::Done,
    })
}

/// Nothing of it will ever be done.
pub(crate) fn fail_all(step: &mut Step<'_>, conversation: ConversationId, error: &ClientError) -> Done {
    while let Some(row) = first(step.tx, conversation)? {
        finish(step, conversation, &row, Err(error.clone()))?;
    }
    job::done(step.tx, Kind::Group, conversation.as_bytes())
}
