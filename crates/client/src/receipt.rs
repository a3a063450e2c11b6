//! Cursors and watermarks: what this device tells the server, and what the server tells about the others.
//!
//! * A cursor says "stored", so it leaves after the transaction that stored the entries, once for all entries of one
//!   input. A cursor that moved by own messages only is told a little later: nobody waits for it.
//! * One's own read watermark is kept here, and told again after each connect as long as the server shows a lower one.
//! * The others' watermarks are the ticks: a message is delivered or read when the lowest of them has passed it.

use crate::conversation;
use crate::event::Event;
use crate::message;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::frame::{ClientFrame, Watermark};
use tidings_proto::id::{AccountId, ConversationId, LogId, MessageId};

/// How long a cursor that moved by own messages only may wait for company.
const LAZY_MS: u64 = 1_000;

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
        step.send(ClientFrame::Cursor { log, seq }, false);
    }
    for (conversation, seq) in std::mem::take(&mut step.mem.unsent.reads) {
        step.send(ClientFrame::Read { conversation, seq }, false);
    }
}

/// The person has seen everything up to this message.
pub(crate) fn mark_read(step: &mut Step<'_>, conversation: ConversationId, up_to: MessageId) -> Done {
    let found = message::find(step.tx, up_to)?.filter(|found| found.conversation == conversation);
    let found = found.ok_or(crate::error::ClientError::NoSuchMessage)?;
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(()) };
    // What is not sent yet stands below everything that came.
    let seq = found.seq.unwrap_or(row.cursor).min(row.cursor);
    if seq <= row.read {
        return Ok(());
    }
    conversation::set_read(step.tx, conversation, seq)?;
    step.mem.unsent.reads.insert(conversation, seq);
    step.event(Event::ConversationChanged { conversation });
    Ok(())
}

/// A member's watermarks, from a plan or a `receipt`.
pub(crate) fn watermark(step: &mut Step<'_>, conversation: ConversationId, watermark: &Watermark) -> Done {
    let changed = step
        .tx
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
    if changed == 0 {
        return Ok(());
    }
    if watermark.account == step.me()?.sender.account {
        conversation::set_read(step.tx, conversation, watermark.read)?;
        step.event(Event::ConversationChanged { conversation });
    } else {
        step.event(Event::TicksChanged { conversation });
    }
    Ok(())
}

/// After a plan: reads that the server does not know of.
pub(crate) fn tell_reads(step: &mut Step<'_>) -> Done {
    let own = step.me()?.sender.account;
    let reads: Vec<(ConversationId, u64)> = step
        .tx
        .prepare_cached(
            "SELECT c.conversation, c.read FROM conversation c
             LEFT JOIN watermark w ON w.conversation = c.conversation AND w.account = ?1
             WHERE c.created = 1 AND c.read > coalesce(w.read, 0)",
        )?
        .query_map([own.as_bytes()], |row| Ok((ConversationId::from_bytes(row.get(0)?), row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    step.mem.unsent.reads.extend(reads);
    Ok(())
}

/// What every other member has: delivered and read.
pub(crate) fn lowest(tx: &Connection, conversation: ConversationId, own: AccountId) -> rusqlite::Result<(u64, u64)> {
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
