//! Reading what was missed: the plan, pages with credit, and gaps in what comes live.
//!
//! One `Sync` per log is on the way at a time, and a few logs at once: that is the credit given to the server, and a
//! bound on what comes in. The inbox goes first, for welcomes decide how conversations are read. A log is asked for
//! until its cursor has reached every seq that was announced.

use crate::conversation;
use crate::log;
use crate::membership;
use crate::memory::{Hold, LogState, Logs};
use crate::message;
use crate::outbox;
use crate::receipt;
use crate::rejoin;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use tidings_proto::entry::{ConversationKind, Entry};
use tidings_proto::frame::{ClientFrame, Page, Plan, PlanLog};
use tidings_proto::id::LogId;
use tidings_proto::limit::PAGE_MAX_ENTRIES;

/// Logs whose pages are on the way at once.
const PAGES_MAX: usize = 4;

fn is_inbox(step: &Step<'_>, log: LogId) -> Result<bool, Stop> {
    Ok(log == LogId::from(step.me()?.sender.device))
}

fn cursor(step: &Step<'_>, log: LogId) -> Result<u64, Stop> {
    if is_inbox(step, log)? {
        return receipt::inbox_cursor(step.tx);
    }
    Ok(conversation::find(step.tx, log.as_conversation())?.map_or(0, |row| row.cursor))
}

/// A part of the plan.
pub(crate) fn plan(step: &mut Step<'_>, plan: &Plan) -> Done {
    for planned in &plan.logs {
        if is_inbox(step, planned.log)? {
            plan_inbox(step, planned)?;
        } else {
            plan_conversation(step, planned)?;
        }
    }
    Ok(())
}

fn plan_inbox(step: &mut Step<'_>, planned: &PlanLog) -> Done {
    let cursor = receipt::inbox_cursor(step.tx)?;
    if planned.head < cursor {
        setting::put(step.tx, Setting::InboxCursor, planned.head)?;
    } else if planned.head > cursor {
        step.mem.logs.behind(planned.log, planned.head);
    } else if planned.cursor < cursor {
        receipt::cursor(step, planned.log, cursor);
    }
    Ok(())
}

fn plan_conversation(step: &mut Step<'_>, planned: &PlanLog) -> Done {
    let conversation = planned.log.as_conversation();
    let accounts = planned.watermarks.iter().map(|watermark| watermark.account);
    let peer = membership::peer_among(step, conversation, accounts)?;
    let row = conversation::ensure(step, conversation, peer)?;
    if !row.created {
        conversation::set_created(step.tx, conversation, true)?;
    }
    step.mem.logs.logs.entry(planned.log).or_default().oldest = planned.oldest;
    for watermark in &planned.watermarks {
        receipt::planned(step, conversation, watermark)?;
    }
    if let Some(floor) = planned.floor.filter(|_| row.kind == ConversationKind::Group) {
        receipt::floor(step, conversation, floor)?;
    }
    // While one blocks the other, the plan stops where the block began.
    if planned.head < row.cursor && !conversation::is_blocked(step.tx, conversation)? {
        return restored(step, planned, row.cursor);
    }
    if !row.joined && rejoin::is_wanted(step.tx, conversation)? {
        step.mem.logs.hold(planned.log, Some(Hold::Join));
    }
    if planned.head > row.cursor {
        step.mem.logs.behind(planned.log, planned.head);
    } else if planned.cursor < row.cursor {
        receipt::cursor(step, planned.log, row.cursor);
    }
    Ok(())
}

/// The server has less than this device has: it was restored from an older copy. Its log is the truth from now on; own
/// messages that it lost are sent again, and the group is joined anew, for the epochs may have parted.
fn restored(step: &mut Step<'_>, planned: &PlanLog, cursor: u64) -> Done {
    let conversation = planned.log.as_conversation();
    tracing::warn!(%conversation, head = planned.head, cursor, "the server has lost entries");
    message::unplace_above(step, conversation, planned.head)?;
    conversation::set_cursor(step.tx, conversation, planned.head)?;
    receipt::cursor(step, planned.log, planned.head);
    if conversation::find(step.tx, conversation)?.is_some_and(|row| row.epoch.is_some()) {
        rejoin::want(step, conversation)?;
    }
    outbox::requeue_unplaced(step, conversation)
}

/// An entry that comes live.
pub(crate) fn live(step: &mut Step<'_>, entry: &Entry) -> Done {
    let state = step.mem.logs.logs.get(&entry.log).copied().unwrap_or_default();
    let cursor = cursor(step, entry.log)?;
    if entry.seq <= cursor {
        return Ok(());
    }
    let waits = step.mem.logs.is_reading(entry.log) || matches!(state.hold, Some(Hold::Inbox | Hold::Join));
    if waits || entry.seq > cursor + 1 {
        step.mem.logs.behind(entry.log, entry.seq);
        return Ok(());
    }
    if is_inbox(step, entry.log)? {
        log::take_inbox(step, std::slice::from_ref(entry), None)
    } else {
        log::take(step, entry.log.as_conversation(), std::slice::from_ref(entry), None)
    }
}

/// The answer to a `Sync`.
pub(crate) fn page(step: &mut Step<'_>, page: Page) -> Done {
    let state = step.mem.logs.logs.entry(page.log).or_default();
    let Some(after) = state.asked.take() else { return Ok(()) };
    state.head = state.head.max(page.head);
    let entries: Vec<Entry> = in_order(after, page.entries);
    let before = cursor(step, page.log)?;
    let to = page.caught_up.then_some(page.head);
    if is_inbox(step, page.log)? {
        log::take_inbox(step, &entries, to)?;
    } else {
        log::take(step, page.log.as_conversation(), &entries, to)?;
    }
    let now = cursor(step, page.log)?;
    let LogState { head, hold, .. } = step.mem.logs.logs.get(&page.log).copied().unwrap_or_default();
    // A page that moves nothing would come again and again: wait for another sign instead.
    if hold.is_none() && now < head && (now > before || after < before) {
        step.mem.logs.behind(page.log, head);
    }
    Ok(())
}

/// A page is ascending; what is not is left out.
fn in_order(after: u64, entries: Vec<Entry>) -> Vec<Entry> {
    let mut last = after;
    entries
        .into_iter()
        .filter(|entry| {
            entry.seq > last && {
                last = entry.seq;
                true
            }
        })
        .collect()
}

/// Asks for what is missing, as far as there is credit.
pub(crate) fn pump(step: &mut Step<'_>) -> Done {
    if !step.mem.session.is_up() || step.mem.logs.queue.is_empty() {
        return Ok(());
    }
    let inbox = LogId::from(step.me()?.sender.device);
    if step.mem.logs.is_reading(inbox) {
        let queued = step.mem.logs.queue.contains(&inbox);
        step.mem.logs.queue.retain(|log| *log != inbox);
        return if queued { ask(step, inbox) } else { Ok(()) };
    }
    let mut open = step.mem.logs.logs.values().filter(|state| state.asked.is_some()).count();
    let mut tries = step.mem.logs.queue.len();
    while open < PAGES_MAX && tries > 0 {
        tries -= 1;
        let Some(log) = step.mem.logs.queue.pop_front() else { break };
        match step.mem.logs.held(log) {
            // Read on when the hold ends; what is announced until then is remembered as its head.
            Some(Hold::Inbox | Hold::Join) => {}
            Some(Hold::InboxRead) | None => {
                ask(step, log)?;
                open += 1;
            }
        }
    }
    Ok(())
}

fn ask(step: &mut Step<'_>, log: LogId) -> Done {
    let after = cursor(step, log)?;
    step.mem.logs.logs.entry(log).or_default().asked = Some(after);
    step.send(ClientFrame::Sync { log, after, limit: PAGE_MAX_ENTRIES }, true);
    Ok(())
}

/// Nothing is on the way, and nothing is to be asked for: what was announced is here, as far as it can be read.
pub(crate) fn is_idle(logs: &Logs) -> bool {
    logs.queue.is_empty() && logs.logs.values().all(|state| state.asked.is_none())
}
