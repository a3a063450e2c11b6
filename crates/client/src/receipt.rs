//! Cursors and watermarks: what this device tells the server, and what the server tells about the others.
//!
//! * A cursor says "stored", so it leaves after the transaction that stored the entries, once for all entries of one
//!   input. A cursor that moved by own messages only is told a little later: nobody waits for it.
//! * One's own watermarks stand in the table `watermark` as the server is known to keep them. What is above that is told
//!   again after each connect. The server writes them a moment after it heard them, so a first pong only says that it
//!   has heard; the pong to a later ping, on the same line, that it has outlived that moment. What a plan shows counts
//!   like a first word.
//! * The others' watermarks are the ticks: a message is delivered or read when the lowest of them has passed it.

use crate::chat_state;
use crate::conversation::{self, Row};
use crate::event::Event;
use crate::http::{self, Answer, Failure};
use crate::io::{HttpBody, Method};
use crate::memory::Purpose;
use crate::message;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::entry::ConversationKind;
use tidings_proto::frame::{ClientFrame, Floor, Watermark};
use tidings_proto::http::Watermarks;
use tidings_proto::id::{AccountId, ConversationId, LogId, MessageId};

/// `watermark_move.kind`. The numbers are stored.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Move {
    Delivered = 0,
    Read = 1,
}

/// Moves of one member that are kept.
const MOVES_MAX: u32 = 256;

/// How far a message got with one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub account: AccountId,
    pub delivered: bool,
    /// By the server's clock; not known if it happened while nobody asked.
    pub delivered_ms: Option<u64>,
    pub read: bool,
    pub read_ms: Option<u64>,
}

/// How long a cursor that moved by own messages only may wait for company.
const LAZY_MS: u64 = 1_000;
/// After so long the server has written what it heard, with a lot to spare.
const WRITTEN_MS: u64 = 5_000;

/// This device stored all up to `seq`.
pub(crate) fn cursor(step: &mut Step<'_>, log: LogId, seq: u64) {
    step.mem.unsent.lazy_cursors.remove(&log);
    step.mem.unsent.cursors.insert(log, seq);
}

pub(crate) fn lazy_cursor(step: &mut Step<'_>, log: LogId, seq: u64) {
    if step.mem.unsent.cursors.contains_key(&log) {
        return cursor(step, log, seq);
    }
    step.mem.unsent.lazy_cursors.insert(log, seq);
    step.mem.unsent.lazy_due_ms.get_or_insert(step.now_ms + LAZY_MS);
}

/// At the end of an input: tells what is to be told.
pub(crate) fn flush(step: &mut Step<'_>) {
    if !step.mem.session.is_up() {
        // The next plan shows what the server does not know.
        step.mem.unsent = Default::default();
        return;
    }
    if step.mem.unsent.lazy_due_ms.is_some_and(|due_ms| due_ms <= step.now_ms) {
        let lazy = std::mem::take(&mut step.mem.unsent.lazy_cursors);
        step.mem.unsent.cursors.extend(lazy);
    }
    if step.mem.unsent.lazy_cursors.is_empty() {
        step.mem.unsent.lazy_due_ms = None;
    }
    for (log, seq) in std::mem::take(&mut step.mem.unsent.cursors) {
        step.mem.unsent.told.entry(log.as_conversation()).or_default().cursor = seq;
        step.send(ClientFrame::Cursor { log, seq }, false);
    }
    for (conversation, seq) in std::mem::take(&mut step.mem.unsent.reads) {
        step.mem.unsent.told.entry(conversation).or_default().read = seq;
        step.send(ClientFrame::Read { conversation, seq }, false);
    }
}

/// A ping goes out: its pong will say that all that was told before was heard.
pub(crate) fn pinged(step: &mut Step<'_>) {
    let unsent = &mut step.mem.unsent;
    if step.now_ms >= unsent.heard_ms.saturating_add(WRITTEN_MS) {
        unsent.written.append(&mut unsent.heard);
    }
    unsent.told_before_ping.append(&mut unsent.told);
}

/// The pong: the server has heard what was told before the ping, and has written what it had heard long before.
pub(crate) fn ponged(step: &mut Step<'_>) -> Done {
    let unsent = &mut step.mem.unsent;
    unsent.heard.append(&mut unsent.told_before_ping);
    unsent.heard_ms = step.now_ms;
    let written = std::mem::take(&mut unsent.written);
    let own = step.me()?.sender.account;
    for (conversation, told) in written {
        // The inbox has no watermarks, and somebody who blocks moves none.
        let known = conversation::find(step.tx, conversation)?.is_some();
        if known && !conversation::is_blocked(step.tx, conversation)? {
            raise(
                step.tx,
                conversation,
                &Watermark { account: own, delivered: told.cursor, read: told.read, time_ms: 0 },
            )?;
        }
    }
    Ok(())
}

/// The person has seen everything up to this message.
pub(crate) fn mark_read(step: &mut Step<'_>, conversation: ConversationId, up_to: MessageId) -> Done {
    let found = message::find(step.tx, up_to)?.filter(|found| found.conversation == conversation);
    let found = found.ok_or(crate::error::ClientError::NoSuchMessage)?;
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(()) };
    chat_state::seen(step, conversation)?;
    let seq = match found.seq {
        // It came by the log, or with the history from another device, which may be ahead of the log.
        Some(seq) if !found.own => seq,
        // What is not sent yet stands below everything that came.
        Some(seq) => seq.min(row.cursor),
        None => row.cursor,
    };
    if seq <= row.read {
        return Ok(());
    }
    conversation::set_read(step.tx, conversation, seq)?;
    step.mem.unsent.reads.insert(conversation, seq);
    step.event(Event::ConversationChanged { conversation });
    Ok(())
}

/// A member's watermarks, from a plan. One's own may be below what was told: then the server has lost it.
pub(crate) fn planned(step: &mut Step<'_>, conversation: ConversationId, mark: &Watermark) -> Done {
    if mark.account != step.me()?.sender.account {
        return watermark(step, conversation, mark);
    }
    step.tx
        .prepare_cached(
            "UPDATE watermark SET delivered = min(delivered, ?3), read = min(read, ?4)
             WHERE conversation = ?1 AND account = ?2",
        )?
        .execute(params![conversation.as_bytes(), mark.account.as_bytes(), mark.delivered, mark.read])?;
    own_moved(step, conversation, mark)
}

/// A member's watermarks, from a `receipts` or, of others, a plan.
pub(crate) fn watermark(step: &mut Step<'_>, conversation: ConversationId, mark: &Watermark) -> Done {
    if mark.account == step.me()?.sender.account {
        return own_moved(step, conversation, mark);
    }
    note_moves(step, conversation, mark)?;
    if raise(step.tx, conversation, mark)? {
        step.event(Event::TicksChanged { conversation });
    }
    Ok(())
}

/// One's own, by this device or another: the server has heard of it.
fn own_moved(step: &mut Step<'_>, conversation: ConversationId, mark: &Watermark) -> Done {
    let told = step.mem.unsent.told.entry(conversation).or_default();
    told.cursor = told.cursor.max(mark.delivered);
    told.read = told.read.max(mark.read);
    if conversation::find(step.tx, conversation)?.is_some_and(|row| row.read < mark.read) {
        conversation::set_read(step.tx, conversation, mark.read)?;
        step.event(Event::ConversationChanged { conversation });
    }
    Ok(())
}

/// What every other member of a group has at least, from a plan.
pub(crate) fn floor(step: &mut Step<'_>, conversation: ConversationId, floor: Floor) -> Done {
    let changed = step
        .tx
        .prepare_cached(
            "UPDATE conversation SET floor_delivered = max(floor_delivered, ?2), floor_read = max(floor_read, ?3)
             WHERE conversation = ?1 AND (floor_delivered < ?2 OR floor_read < ?3)",
        )?
        .execute(params![conversation.as_bytes(), floor.delivered.max(floor.read), floor.read])?;
    if changed > 0 {
        step.event(Event::TicksChanged { conversation });
    }
    Ok(())
}

/// Keeps when a member's watermark passed own messages: for message info.
fn note_moves(step: &Step<'_>, conversation: ConversationId, watermark: &Watermark) -> Done {
    let (delivered, read) = of_member(step.tx, conversation, watermark.account)?;
    let moves =
        [(Move::Delivered, delivered, watermark.delivered.max(watermark.read)), (Move::Read, read, watermark.read)];
    for (kind, from, to) in moves.into_iter().filter(|(_, from, to)| to > from) {
        let time_ms = if watermark.time_ms > 0 { watermark.time_ms } else { step.now_ms };
        step.tx
            .prepare_cached(
                "INSERT OR IGNORE INTO watermark_move (conversation, account, kind, seq, time_ms)
                 SELECT ?1, ?2, ?3, ?5, ?6 WHERE EXISTS (
                     SELECT 1 FROM message WHERE conversation = ?1 AND seq > ?4 AND seq <= ?5 AND own = 1)",
            )?
            .execute(params![conversation.as_bytes(), watermark.account.as_bytes(), kind as u8, from, to, time_ms])?;
        step.tx
            .prepare_cached(
                "DELETE FROM watermark_move WHERE conversation = ?1 AND account = ?2 AND kind = ?3 AND seq <= (
                     SELECT seq FROM watermark_move WHERE conversation = ?1 AND account = ?2 AND kind = ?3
                     ORDER BY seq DESC LIMIT 1 OFFSET ?4)",
            )?
            .execute(params![conversation.as_bytes(), watermark.account.as_bytes(), kind as u8, MOVES_MAX])?;
    }
    Ok(())
}

/// Delivered and read.
fn of_member(tx: &Connection, conversation: ConversationId, account: AccountId) -> rusqlite::Result<(u64, u64)> {
    tx.prepare_cached("SELECT delivered, read FROM watermark WHERE conversation = ?1 AND account = ?2")?
        .query_row([conversation.as_bytes(), account.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map(Option::unwrap_or_default)
}

/// Who has one's own message at `seq`, and since when this device knows it; of everybody who was a member then.
pub(crate) fn seen_by(step: &Step<'_>, conversation: ConversationId, seq: u64) -> Result<Vec<Seen>, Stop> {
    let own = step.me()?.sender.account;
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(Vec::new()) };
    let others: Vec<AccountId> = match row.kind {
        ConversationKind::Direct => row.account.into_iter().collect(),
        ConversationKind::SelfChat => Vec::new(),
        ConversationKind::Group => step
            .tx
            .prepare_cached("SELECT account FROM member WHERE conversation = ?1 AND account <> ?2 AND since_seq < ?3")?
            .query_map(params![conversation.as_bytes(), own.as_bytes(), seq], |row| {
                Ok(AccountId::from_bytes(row.get(0)?))
            })?
            .collect::<Result<_, _>>()?,
    };
    let mut first = step.tx.prepare_cached(
        "SELECT min(time_ms) FROM watermark_move WHERE conversation = ?1 AND account = ?2 AND kind = ?3 AND seq >= ?4",
    )?;
    let mut seen = Vec::with_capacity(others.len());
    for account in others {
        let (delivered, read) = of_member(step.tx, conversation, account)?;
        let mut when = |kind: Move| -> rusqlite::Result<Option<u64>> {
            first.query_row(params![conversation.as_bytes(), account.as_bytes(), kind as u8, seq], |row| row.get(0))
        };
        seen.push(Seen {
            account,
            delivered: delivered >= seq,
            delivered_ms: when(Move::Delivered)?,
            read: read >= seq,
            read_ms: when(Move::Read)?,
        });
    }
    Ok(seen)
}

/// Asks for every member's watermarks: in a group the server tells only those that moved while one was connected.
pub(crate) fn ask_all(step: &mut Step<'_>, purpose: Purpose, conversation: ConversationId) -> Done {
    http::ask(step, purpose, Method::Get, format!("/v1/conversations/{conversation}/watermarks"), HttpBody::Empty)
}

/// The answer to it.
pub(crate) fn all_told(
    step: &mut Step<'_>,
    conversation: ConversationId,
    answer: Answer,
) -> Result<Result<(), Failure>, Stop> {
    match http::read::<Watermarks>(answer) {
        Ok(all) => {
            for told in &all.watermarks {
                watermark(step, conversation, told)?;
            }
            Ok(Ok(()))
        }
        Err(failure) => Ok(Err(failure)),
    }
}

/// False if nothing moved.
fn raise(tx: &Connection, conversation: ConversationId, watermark: &Watermark) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached(
            "INSERT INTO watermark (conversation, account, delivered, read) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (conversation, account)
             DO UPDATE SET delivered = max(delivered, excluded.delivered), read = max(read, excluded.read)
             WHERE excluded.delivered > delivered OR excluded.read > read",
        )?
        .execute(params![
            conversation.as_bytes(),
            watermark.account.as_bytes(),
            watermark.delivered.max(watermark.read),
            watermark.read
        ])?;
    Ok(changed > 0)
}

/// After a plan: what the server is not known to have.
pub(crate) fn tell_again(step: &mut Step<'_>) -> Done {
    let own = step.me()?.sender.account;
    let rows: Vec<(ConversationId, u64, bool, u64, bool)> = step
        .tx
        .prepare_cached(
            "SELECT c.conversation, c.cursor, c.cursor > coalesce(w.delivered, 0), c.read, c.read > coalesce(w.read, 0)
             FROM conversation c LEFT JOIN watermark w ON w.conversation = c.conversation AND w.account = ?1
             WHERE c.created = 1 AND (c.cursor > coalesce(w.delivered, 0) OR c.read > coalesce(w.read, 0))",
        )?
        .query_map([own.as_bytes()], |row| {
            let conversation = ConversationId::from_bytes(row.get(0)?);
            Ok((conversation, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?
        .collect::<Result<_, _>>()?;
    for (conversation, at, tell_cursor, read, tell_read) in rows {
        let shown = step.mem.unsent.told.get(&conversation).copied().unwrap_or_default();
        if tell_cursor && at > shown.cursor {
            cursor(step, conversation.into(), at);
        }
        if tell_read && read > shown.read {
            step.mem.unsent.reads.insert(conversation, read);
        }
    }
    Ok(())
}

/// While somebody is blocked, the server keeps back what they send and moves no watermark: read on, and say again what
/// was seen meanwhile.
pub(crate) fn unblocked(step: &mut Step<'_>, row: &Row) -> Done {
    let own = step.me()?.sender.account;
    step.tx
        .prepare_cached("DELETE FROM watermark WHERE conversation = ?1 AND account = ?2")?
        .execute([row.conversation.as_bytes(), own.as_bytes()])?;
    step.mem.logs.behind(row.conversation.into(), row.cursor);
    cursor(step, row.conversation.into(), row.cursor);
    step.mem.unsent.reads.insert(row.conversation, row.read);
    Ok(())
}

/// What every other member has who was one when the entry at `seq` came: delivered and read.
pub(crate) fn lowest(
    tx: &Connection,
    conversation: ConversationId,
    own: AccountId,
    seq: u64,
) -> rusqlite::Result<(u64, u64)> {
    match conversation::kind(own, conversation) {
        ConversationKind::Direct => lowest_of_all(tx, conversation, own),
        ConversationKind::SelfChat => Ok((seq, seq)),
        ConversationKind::Group => tx
            .prepare_cached(
                "SELECT coalesce(min(max(coalesce(w.delivered, 0), c.floor_delivered)), ?3),
                        coalesce(min(max(coalesce(w.read, 0), c.floor_read)), ?3)
                 FROM member m JOIN conversation c ON c.conversation = m.conversation
                 LEFT JOIN watermark w ON w.conversation = m.conversation AND w.account = m.account
                 WHERE m.conversation = ?1 AND m.account <> ?2 AND m.since_seq < ?3",
            )?
            .query_row(params![conversation.as_bytes(), own.as_bytes(), seq], |row| Ok((row.get(0)?, row.get(1)?))),
    }
}

fn lowest_of_all(tx: &Connection, conversation: ConversationId, own: AccountId) -> rusqlite::Result<(u64, u64)> {
    tx.prepare_cached(
        "SELECT coalesce(min(delivered), 0), coalesce(min(read), 0) FROM watermark
         WHERE conversation = ?1 AND account <> ?2",
    )?
    .query_row([conversation.as_bytes(), own.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
    .optional()
    .map(Option::unwrap_or_default)
}

/// The inbox's cursor.
pub(crate) fn inbox_cursor(tx: &Connection) -> Result<u64, Stop> {
    Ok(setting::get(tx, Setting::InboxCursor)?.unwrap_or(0))
}
