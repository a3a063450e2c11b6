//! [`Status`].

use super::{Status, conversation};
use crate::job::{self, Kind};
use crate::own;
use crate::session;
use crate::step::{Step, Stop};
use std::collections::BTreeSet;

pub(crate) fn read(step: &Step<'_>) -> Result<Status, Stop> {
    let me = step.mem.me.as_ref();
    let (outbox, changes) = step
        .tx
        .prepare_cached("SELECT count(*) FILTER (WHERE silent = 0), count(*) FILTER (WHERE silent = 1) FROM outbox")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (unread, unread_muted) = conversation::unread_of_all(step)?;
    Ok(Status {
        account: me.map(|me| me.sender.account),
        device: me.map(|me| me.sender.device),
        phone: me.map(|me| me.phone.clone()).filter(|phone| !phone.is_empty()),
        connection: session::state(step.mem),
        outbox,
        changes,
        unread,
        unread_muted,
        joining: joining(step)?,
        lock_reset_ms: own::lock::reset_ms(step)?,
        importing: job::exists(step.tx, Kind::Import, &[])?,
    })
}

/// Those that a job is about, each once.
fn joining(step: &Step<'_>) -> Result<u64, Stop> {
    let mut conversations = BTreeSet::new();
    for kind in [Kind::Rejoin, Kind::Welcome, Kind::Renew] {
        conversations.extend(job::subjects(step.tx, kind)?);
    }
    Ok(conversations.len() as u64)
}
